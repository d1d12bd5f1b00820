//! The credentials of clients.

use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web::test::TestRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;

use crate::oauth::OAuthError;
use crate::oauth::credentials::ClientCredentials;
use crate::oauth::form::parse_urlencoded;

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
