//! The form of the OAuth endpoints.

use actix_web::FromRequest;
use actix_web::rt::Runtime;
use actix_web::test::TestRequest;

use crate::oauth::OAuthError;
use crate::oauth::form::{KNOWN, MAX_PARAMETERS, MAX_VALUE_BYTES, OAuthForm, parse_urlencoded};

type Pairs = Vec<(String, String)>;

thread_local! {
    static RUNTIME: Runtime = Runtime::new().expect("a runtime");
}

/// The body of an OAuth endpoint, urlencoded and multipart.
pub fn form(body: &[u8]) {
    let others = form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned()));
    let others: Pairs = others.collect();
    match parse_urlencoded(body) {
        Ok(form) => has_exactly(form, &others),
        Err(_) => {
            let is_lossy = |text: &String| text.contains(char::REPLACEMENT_CHARACTER);
            let is_lossy = others.iter().any(|(name, value)| is_lossy(name) || is_lossy(value));
            assert!(is_lossy || is_over_a_limit(&others), "refused without a cause");
        }
    }
    if is_over_a_limit(&others) {
        return;
    }
    let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&others).finish();
    has_exactly(parse_urlencoded(encoded.as_bytes()).expect("what was encoded comes back"), &others);

    let _read_or_refused = read_multipart(body.to_vec());
    let values = others.into_iter().map(|(_, value)| value).filter(|value| !value.contains("--limit"));
    let pairs: Pairs = values.zip(KNOWN.into_iter().cycle()).map(|(value, name)| (name.to_owned(), value)).collect();
    if !pairs.is_empty() && !is_over_a_limit(&pairs) {
        has_exactly(read_multipart(written_multipart(&pairs)).expect("what was written comes back"), &pairs);
    }
}

fn is_over_a_limit(pairs: &Pairs) -> bool {
    pairs.len() > MAX_PARAMETERS || pairs.iter().any(|(_, value)| value.len() > MAX_VALUE_BYTES)
}

fn has_exactly(mut form: OAuthForm, pairs: &Pairs) {
    for name in KNOWN {
        let given = pairs.iter().filter(|(key, value)| key == name && !value.is_empty());
        let given: Vec<&String> = given.map(|(_, value)| value).collect();
        assert_eq!(form.peek(name), given.first().map(|value| value.as_str()));
        match form.take(name) {
            Ok(value) => assert_eq!(value.iter().collect::<Vec<_>>(), given),
            Err(_) => assert!(given.len() > 1, "{name:?} is refused, but is there once"),
        }
        assert_eq!(form.peek(name), None, "taken is taken");
    }
}

fn read_multipart(body: Vec<u8>) -> Result<OAuthForm, OAuthError> {
    let request = TestRequest::post().insert_header(("content-type", "multipart/form-data; boundary=limit"));
    let (request, mut payload) = request.set_payload(body).to_http_parts();
    // Its deadline needs the runtime from the start.
    RUNTIME.with(|runtime| runtime.block_on(async { OAuthForm::from_request(&request, &mut payload).await }))
}

fn written_multipart(pairs: &Pairs) -> Vec<u8> {
    let part = |(name, value): &(String, String)| {
        format!("--limit\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    format!("{}--limit--\r\n", pairs.iter().map(part).collect::<String>()).into_bytes()
}
