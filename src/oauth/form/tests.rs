//! Forms as clients send them, good and bad.

use actix_web::rt::Runtime;
use actix_web::test::TestRequest;
use proptest::prelude::*;

use super::*;

fn form(body: &str) -> OAuthForm {
    parse_urlencoded(body.as_bytes()).unwrap_or_else(|error| panic!("{body:?}: {error}"))
}

#[test]
fn values_are_form_decoded_and_never_trimmed() {
    let mut form = form("password=+p%40ss+w%2Brd%26%C3%A9+&x=1");
    assert_eq!(form.take("password").expect("once").as_deref(), Some(" p@ss w+rd&é "));
}

#[test]
fn a_parameter_without_a_value_is_absent() {
    let mut form = form("scope=&client_id&username=a&username=");
    assert_eq!(form.take("scope").expect("absent"), None);
    assert_eq!(form.take("client_id").expect("absent"), None);
    assert_eq!(form.take("username").expect("once").as_deref(), Some("a"));
}

#[test]
fn a_repeated_parameter_is_named() {
    let error = form("username=a&username=a").take("username").expect_err("repeated");
    assert!(error.to_string().contains("username"));
    assert_eq!(form("client_id=a&client_id=a").take_equal("client_id").expect("equal").as_deref(), Some("a"));
    assert!(form("client_id=a&client_id=b").take_equal("client_id").is_err());
}

#[test]
fn what_is_not_utf_8_is_refused() {
    assert!(parse_urlencoded(b"password=%ff%fe").is_err());
    assert!(parse_urlencoded(b"password=\xff").is_err());
}

/// Names and values as clients may send them; few known names, so that some are repeated.
fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof!["scope|token", any::<String>()];
    let value = prop_oneof![Just(String::new()), any::<String>()];
    prop::collection::vec((name, value), 0..6)
}

/// Bytes that are no form, and near misses.
fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        "((scope|token)=)?[ab=&+%0-9a-fA-F;é]{0,40}".prop_map(String::into_bytes),
    ]
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

async fn read(content_type: &str, body: Vec<u8>) -> Result<OAuthForm, OAuthError> {
    let request = TestRequest::post().insert_header(("content-type", content_type)).set_payload(body);
    let (request, mut payload) = request.to_http_parts();
    OAuthForm::from_request(&request, &mut payload).await
}

fn multipart(pairs: &[(String, String)]) -> Vec<u8> {
    let part = |(name, value): &(String, String)| {
        format!("--limit\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    format!("{}--limit--\r\n", pairs.iter().map(part).collect::<String>()).into_bytes()
}

/// What other parsers read, limited to known parameters with a value.
fn asked_for(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    let known = pairs.iter().filter(|(name, value)| KNOWN.contains(&name.as_str()) && !value.is_empty());
    known.map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[track_caller]
fn assert_has_exactly(form: impl Fn() -> OAuthForm, pairs: &[(String, String)]) {
    let asked = asked_for(pairs);
    for name in KNOWN {
        let given: Vec<&str> = asked.iter().filter(|(key, _)| *key == name).map(|(_, value)| *value).collect();
        assert_eq!(form().peek(name), given.first().copied());
        let (once, equal) = (form().take(name), form().take_equal(name));
        assert_eq!(once.is_err(), given.len() > 1);
        assert_eq!(equal.is_err(), given.iter().any(|value| *value != given[0]));
        for value in once.into_iter().chain(equal) {
            assert_eq!(value.as_deref(), given.first().copied());
        }
    }
}

proptest! {
    #![proptest_config(crate::testing::properties::config())]

    #[test]
    fn whatever_is_sent_is_read_as_others_read_it_or_refused(body in body()) {
        let others: Vec<_> =
            form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        match parse_urlencoded(&body) {
            Ok(_) => assert_has_exactly(|| form_of(&body), &others),
            Err(_) => {
                let is_lossy = |text: &String| text.contains(char::REPLACEMENT_CHARACTER);
                prop_assert!(others.iter().any(|(name, value)| is_lossy(name) || is_lossy(value)));
            }
        }
    }

    #[test]
    fn what_was_encoded_comes_back_in_pieces_of_any_size(pairs in pairs(), size in 1..9_usize) {
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        assert_has_exactly(|| in_pieces(encoded.as_bytes(), size), &pairs);
        let each = |(name, value): &(String, String)| format!("{}={}", percent_encoded(name), percent_encoded(value));
        let encoded = pairs.iter().map(each).collect::<Vec<_>>().join("&");
        assert_has_exactly(|| in_pieces(encoded.as_bytes(), size), &pairs);
    }
}

fn form_of(body: &[u8]) -> OAuthForm {
    parse_urlencoded(body).expect("it was read before")
}

fn in_pieces(body: &[u8], size: usize) -> OAuthForm {
    let mut form = Urlencoded::default();
    body.chunks(size).for_each(|piece| form.read(piece).expect("a form"));
    form.finish().expect("a form")
}

/// The bytes that a form holds while it is read and afterwards.
fn kept(form: &OAuthForm) -> usize {
    form.parameters.iter().map(|parameter| parameter.value.capacity()).sum::<usize>()
        + form.parameters.capacity() * size_of::<Parameter>()
}

#[test]
fn nothing_is_kept_of_what_no_endpoint_asks_for() {
    let unknown = format!("username=ada&{}={}&x", "n".repeat(100_000), "v".repeat(100_000));
    let mut reading = Urlencoded::default();
    reading.read(unknown.as_bytes()).expect("a form");
    assert!(reading.buffered() < 1024, "{}", reading.buffered());
    let form = reading.finish().expect("a form");
    assert_eq!(form.peek("username"), Some("ada"));
    assert!(kept(&form) < 1024, "{}", kept(&form));
}

#[test]
fn a_form_of_many_parameters_is_refused_in_the_middle() {
    let refusal = |body: String| parse_urlencoded(body.as_bytes()).err().map(|error| error.to_string());
    let names = |count: usize| (0..count).map(|number| format!("p{number}=")).collect::<Vec<_>>().join("&");
    assert_eq!(refusal(names(64)), None);
    assert_eq!(refusal("&".repeat(10_000)), None, "an empty pair is none");
    for many in [names(65), "&a".repeat(65), "=&".repeat(65), "a=1&".repeat(65)] {
        assert!(refusal(many).expect("too many").contains("at most 64"));
    }
    let mut reading = Urlencoded::default();
    let refused_at = (0..200).find(|_| reading.read(b"&a").is_err());
    assert_eq!(refused_at, Some(65), "no more is read than is needed to know");
}

#[test]
fn a_value_has_8192_bytes_whatever_it_is_encoded_like() {
    for one in ["a", "%61", "%C3%A9"] {
        let bytes = if one == "%C3%A9" { 2 } else { 1 };
        let fits = format!("password={}", one.repeat(8192 / bytes));
        assert_eq!(form(&fits).take("password").expect("once").map(|value| value.len()), Some(8192));
        let longer = form(&format!("{fits}a")).take("password").expect("once");
        assert_eq!(longer.as_deref(), Some("\0"), "one that nothing matches");
    }
    let mut reading = Urlencoded::default();
    reading.read(b"password=").expect("a name");
    for _ in 0..1000 {
        reading.read(&[b'x'; 1000]).expect("read on");
    }
    assert!(reading.buffered() < 64 * 1024, "no more is kept than shows that it is too long");
    assert_eq!(reading.finish().expect("a form").take("password").expect("once").as_deref(), Some("\0"));
}

#[test]
fn of_many_repetitions_no_more_is_kept_than_of_one() {
    let value = "v".repeat(8192);
    let form = form(&format!("password={value}&").repeat(60));
    assert!(kept(&form) < 3 * 8192, "{}", kept(&form));
}

#[test]
fn a_multipart_form_comes_back_and_any_bytes_are_read_or_refused() {
    let runtime = Runtime::new().expect("a runtime");
    let kind = "multipart/form-data; boundary=limit";
    let name = prop_oneof![prop::sample::select(&KNOWN[..]).prop_map(str::to_owned), "[a-z_]{1,8}"];
    proptest!(crate::testing::properties::config(), |(pairs in prop::collection::vec((name, any::<String>()), 1..5))| {
        let again = || runtime.block_on(read(kind, multipart(&pairs))).expect("a form");
        assert_has_exactly(again, &pairs);
    });
    let torn = ("[a-z]{0,3}", any::<String>(), any::<prop::sample::Index>(), any::<u8>());
    proptest!(crate::testing::properties::config(), |((name, value, at, byte) in torn, cut in any::<bool>())| {
        let mut body = multipart(&[(name, value)]);
        let at = at.index(body.len());
        if cut { body.truncate(at) } else { body[at] = byte }
        let _read_or_refused = runtime.block_on(read(kind, body));
    });
}
