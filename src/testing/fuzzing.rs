//! The targets of `tests/fuzz/`: one function for each parser of untrusted bytes. Each checks the result against the
//! same rules as the property tests beside the parser, and panics if a rule is broken. Compiled only with `--cfg fuzzing`.

use std::net::{IpAddr, SocketAddr};

use actix_web::FromRequest;
use actix_web::http::header::{AUTHORIZATION, FORWARDED, HeaderName, HeaderValue, X_FORWARDED_FOR};
use actix_web::rt::Runtime;
use actix_web::test::TestRequest;
use actix_web::web::Data;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::accounts::Email;
use crate::config::Algorithm;
use crate::db::page::Cursor;
use crate::db::{Id, Timestamp};
use crate::fields::Field;
use crate::guard::AuthError;
use crate::guard::authenticate::bearer_token;
use crate::http::origin::{TrustedProxies, client_address};
use crate::oauth::OAuthError;
use crate::oauth::credentials::ClientCredentials;
use crate::oauth::form::{KNOWN, MAX_PARAMETERS, MAX_VALUE_BYTES, OAuthForm, parse_urlencoded};
use crate::sessions::refresh_token::RefreshTokens;
use crate::tokens::jwt::{CLOCK_SKEW_SECONDS, JwtKey, Refusal, check};
use crate::tokens::keys::KeyMaterial;
use crate::tokens::scope::KNOWN_SCOPES;
use crate::tokens::{AccessToken, ScopeSet};

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "keyfob";
const NOW_SECONDS: i64 = 1_795_294_680;
/// Signs the tokens of the seeds.
const SECRET: [u8; 32] = [7; 32];
/// A trusted proxy, as is all of 10.0.0.0/8.
const PROXY: &str = "10.0.0.1:4711";
const STRANGER: &str = "192.0.2.1:4711";
const CLIENT: &str = "203.0.113.7";

type Pairs = Vec<(String, String)>;

thread_local! {
    static RUNTIME: Runtime = Runtime::new().expect("a runtime");
    static KEYS: [JwtKey; 2] = [
        KeyMaterial::from_bytes(Algorithm::HS256, &SECRET),
        KeyMaterial::generate(Algorithm::EdDSA),
    ]
    .map(|material| JwtKey::new("kid", &material.expect("a key")).expect("a usable key"));
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

/// The parameter `scope`.
pub fn scope(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let asked: Vec<&str> = text.split(' ').filter(|name| !name.is_empty()).collect();
    let place = |name: &str| KNOWN_SCOPES.iter().position(|(known, _)| *known == name);
    let parsed = ScopeSet::parse(text);
    assert_eq!(parsed.is_ok(), asked.iter().all(|name| place(name).is_some()));
    let Ok(set) = parsed else { return };
    assert_eq!(ScopeSet::parse(set.as_str()).ok().as_ref(), Some(&set), "its own text");
    let written: Vec<&str> = set.as_str().split(' ').filter(|name| !name.is_empty()).collect();
    assert!(written.iter().all(|name| asked.contains(name)) && asked.iter().all(|name| written.contains(name)));
    assert!(written.is_sorted_by_key(|name| place(name)) && written.join(" ") == set.as_str());
    let of_user = set.intersection(&ScopeSet::of_user(false));
    assert!(of_user.is_subset_of(&set) && !of_user.contains("admin"));
    assert_eq!(of_user == set, !asked.contains(&"admin"));
}

/// The header `Authorization: Basic`, and any id and secret in it.
pub fn basic(bytes: &[u8]) {
    if let Ok(header) = HeaderValue::from_bytes(bytes) {
        let (scheme, given) = bytes.split_at_checked(6).unwrap_or((bytes, &[]));
        let text = STANDARD.decode(given.trim_ascii()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        match read_basic(&header) {
            Ok(read) if scheme.eq_ignore_ascii_case(b"basic ") => {
                let (id, secret) = raw(&read);
                assert_eq!(text, Some(format!("{id}:{secret}")));
            }
            Ok(read) => assert_eq!(raw(&read), ("", ""), "another scheme is left out"),
            Err(refused) => {
                assert!(scheme.eq_ignore_ascii_case(b"basic ") && matches!(refused, OAuthError::InvalidClient));
                let is_good = |text: String| text.split_once(':').is_some_and(|(id, _)| !id.is_empty());
                assert!(!text.is_some_and(is_good), "refused without a cause");
            }
        }
    }
    let Some((id, secret)) = std::str::from_utf8(bytes).ok().and_then(|text| text.split_once(':')) else { return };
    if id.is_empty() {
        return;
    }
    let plain = read_basic(&basic_of(id, secret)).expect("an id and a secret");
    assert_eq!(raw(&plain), (id, secret));
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let read = read_basic(&basic_of(&encoded(id), &encoded(secret))).expect("encoded ones");
    let (decoded_id, decoded_secret) = read.decoded.expect("what was encoded can be decoded");
    assert_eq!((decoded_id.as_str(), decoded_secret.expose_secret()), (id, secret));
}

fn read_basic(header: &HeaderValue) -> Result<ClientCredentials, OAuthError> {
    let mut empty = parse_urlencoded(b"")?;
    ClientCredentials::read(&TestRequest::post().insert_header((AUTHORIZATION, header)).to_http_request(), &mut empty)
}

fn basic_of(id: &str, secret: &str) -> HeaderValue {
    let header = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    HeaderValue::from_str(&header).expect("a header value")
}

fn raw(read: &ClientCredentials) -> (&str, &str) {
    let secret = read.secret.as_ref().map_or("", |secret| secret.expose_secret());
    (read.id.as_deref().unwrap_or_default(), secret)
}

/// The header `Authorization: Bearer`, in one line or several.
pub fn bearer(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').take(3).collect();
    let Some(request) = with_lines(TestRequest::default(), &AUTHORIZATION, &lines) else { return };
    let [first, others @ ..] = lines.as_slice() else { return };
    let blanks = first.iter().take_while(|byte| **byte == b' ').count();
    let trimmed = first.split_at(blanks).1;
    let is_bearer = trimmed.len() >= 6 && trimmed.split_at(6).0.eq_ignore_ascii_case(b"bearer");
    let rest = if is_bearer { trimmed.split_at(6).1 } else { trimmed };
    let is_bearer = is_bearer && rest.first().is_none_or(|byte| *byte == b' ');
    let text = std::str::from_utf8(rest).map(|rest| rest.trim_matches(' '));
    let is_good = others.is_empty() && text.is_ok_and(|text| !text.is_empty() && !text.contains(' '));
    let expected = match (is_bearer, is_good, text) {
        (false, _, _) => Err(AuthError::Missing),
        (true, true, Ok(text)) => Ok(text),
        _ => Err(AuthError::Malformed),
    };
    assert_eq!(bearer_token(&request.to_http_request()), expected);
}

/// A request with a header in these lines; `None` if HTTP could not carry one of them.
fn with_lines(request: TestRequest, name: &HeaderName, lines: &[&[u8]]) -> Option<TestRequest> {
    lines.iter().try_fold(request, |request, line| {
        let value = HeaderValue::from_bytes(line).ok()?;
        Some(request.append_header((name.clone(), value)))
    })
}

/// A token as it was sent, read as access token and as refresh token. Two lines are also read as a header and claims,
/// which are signed here to reach the code after the signature check.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(claims) = checked(text, 0) {
        let (message, signature) = text.rsplit_once('.').expect("three parts");
        assert_eq!(signature, URL_SAFE_NO_PAD.encode(sign(&Key::new(HMAC_SHA256, &SECRET), message.as_bytes())));
        is_good(&claims);
    }
    assert!(checked(text, 1).is_err(), "nobody has signed under this key");
    let tokens = RefreshTokens::new(&SECRET);
    if let Some(read) = tokens.read(text) {
        assert_eq!(tokens.write(read.session_id, read.generation, &read.secret), text);
    }
    if let Some((header, claims)) = text.split_once('\n') {
        signed(header, claims);
    }
}

fn signed(header: &str, claims: &str) {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = sign(&Key::new(HMAC_SHA256, &SECRET), message.as_bytes());
    let Ok(read) = checked(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)), 0) else { return };
    let header: Value = serde_json::from_str(header).expect("JSON");
    let member = |name: &str| header.get(name).and_then(Value::as_str);
    assert_eq!(member("alg"), Some("HS256"));
    assert!(member("kid").is_some() && header.get("crit").is_none());
    let kind = member("typ").map(str::to_ascii_lowercase);
    assert!(matches!(kind.as_deref(), Some("at+jwt" | "application/at+jwt")), "{kind:?}");
    let sent: Value = serde_json::from_str(claims).expect("JSON");
    let written = serde_json::to_value(&read).expect("JSON");
    for (name, value) in written.as_object().expect("an object") {
        let absent = if name == "gen" { Value::from(0) } else { Value::Null };
        assert_eq!(sent.get(name).unwrap_or(&absent), value, "{name}");
    }
    is_good(&read);
}

/// Under the HS256 key (0) or the EdDSA key (1), whatever `kid` says.
fn checked(token: &str, key: usize) -> Result<AccessToken, Refusal> {
    let now = Timestamp::from_millis(NOW_SECONDS * 1000);
    KEYS.with(|keys| check(token, |_| keys.get(key), ISSUER, AUDIENCE, now))
}

fn is_good(claims: &AccessToken) {
    assert!(claims.iss == ISSUER && claims.aud.contains(AUDIENCE));
    assert!(claims.expires_at > NOW_SECONDS && claims.issued_at <= NOW_SECONDS + CLOCK_SKEW_SECONDS);
    assert!(claims.not_before.is_none_or(|start| start <= NOW_SECONDS + CLOCK_SKEW_SECONDS));
    assert!(!claims.token_id.is_empty() && !claims.client_id.is_empty());
    assert!([claims.user_id, claims.session_id].iter().all(|id| (1..1 << 53).contains(&id.get())));
}

/// The parameter `cursor`, and the cursor of any number.
pub fn cursor(bytes: &[u8]) {
    let read = |text: &str| Cursor::parse_field(&json!(text)).map(|cursor| cursor.0);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(id) = read(text)
    {
        assert_eq!(Cursor(id).encode(), text, "one spelling");
        assert!((1..1 << 53).contains(&id.get()));
    }
    if let Some((number, _)) = bytes.split_first_chunk::<8>()
        && let Some(id) = Id::from_number(i64::from_le_bytes(*number))
    {
        assert_eq!(read(&Cursor(id).encode()), Ok(id));
    }
}

/// An e-mail address, and the lookup key of an account.
pub fn email(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let key = Email::key_of(text);
    assert_eq!(Email::key_of(&key), key, "the key of a key is the key");
    assert_eq!(Email::key_of(&format!(" {text}\t\n")), key, "blanks around it do not matter");
    assert!(!key.contains('\0') && key.trim() == key);
    let Ok(email) = Email::parse(text) else { return };
    assert_eq!((email.as_str(), email.key()), (text.trim(), key.clone()), "as it was signed up it is found");
    assert!(email.as_str().len() <= 254 && !email.as_str().contains(char::is_control));
    let (local, domain) = email.as_str().rsplit_once('@').expect("a local part and a domain");
    assert!(!local.is_empty() && !domain.is_empty() && !domain.contains(char::is_whitespace), "{email:?}");
    assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
    for other in [text.to_ascii_uppercase(), text.to_ascii_lowercase()] {
        let other = Email::parse(&other).expect("the same address");
        assert!(!text.is_ascii() || other.key() == key, "{other:?}");
    }
}

/// `X-Forwarded-For`, or `Forwarded` where the first byte is odd, in one line or several.
pub fn forwarded(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let is_plain = kind % 2 == 0;
    let name = if is_plain { X_FORWARDED_FOR } else { FORWARDED };
    let lines: Vec<&[u8]> = rest.split(|byte| *byte == b'\n').take(4).collect();
    if lines.iter().any(|line| HeaderValue::from_bytes(line).is_err()) {
        return;
    }
    let client = |peer: &str, lines: &[&[u8]]| {
        let peer: SocketAddr = peer.parse().expect("an address");
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        let request = TestRequest::default().peer_addr(peer).app_data(Data::new(proxies));
        client_address(&with_lines(request, &name, lines).expect("header values").to_http_request()).to_string()
    };
    let [proxy, stranger] = [PROXY, STRANGER].map(|peer| peer.trim_end_matches(":4711"));
    assert_eq!(client(STRANGER, &lines), stranger, "who is no proxy is the client");
    let found = client(PROXY, &lines);
    assert!(found == proxy || names(rest, &found), "{found} is not in the header");

    let honest =
        if is_plain { format!("{CLIENT}, 10.0.0.9") } else { format!("for={CLIENT};proto=https, for=10.0.0.9") };
    let below = [lines.as_slice(), &[honest.as_bytes()]].concat();
    assert_eq!(client(PROXY, &below), CLIENT, "nothing before it matters");
    let Some((last, before)) = lines.split_last() else { return };
    let appended = [last, b", ".as_slice(), honest.as_bytes()].concat();
    let found = client(PROXY, &[before, &[appended.as_slice()]].concat());
    // An unreadable line ends the chain of proxies; it never makes another client.
    assert!(found == CLIENT || found == proxy, "{found} is neither the client nor the proxy");
    assert!(!is_plain || found == CLIENT || last.iter().any(|byte| !matches!(byte, b'\t' | 0x20..=0x7e)));
}

/// Whether a text contains that address in any spelling.
fn names(text: &[u8], address: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    let words = text.split(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'));
    let parses = |word: &str| word.parse::<IpAddr>().is_ok_and(|found| found.to_canonical().to_string() == address);
    words.into_iter().any(|word| parses(word) || word.rsplit_once(':').is_some_and(|(before, _)| parses(before)))
}
