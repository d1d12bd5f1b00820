//! The check that the middleware and the extractors share.

use std::sync::Arc;

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};

use super::error::AuthError;
use crate::db::Timestamp;
use crate::sessions::Sessions;
use crate::tokens::AccessToken;
use crate::tokens::jwt::Refusal;

/// The claims of a token that was accepted, shared within its request.
pub(super) type Accepted = Arc<AccessToken>;

/// Checks the bearer token of a request. Accepted claims are stored in the request, so that it is checked only once.
pub(super) async fn authenticate(req: &HttpRequest) -> Result<Accepted, AuthError> {
    if let Some(accepted) = req.extensions().get::<Accepted>() {
        return Ok(Arc::clone(accepted));
    }
    let token = bearer_token(req)?;
    let sessions = req.app_data::<Data<Sessions>>().ok_or_else(no_keyfob)?;
    let now = Timestamp::now();
    let checked = match sessions.check_access(token, now) {
        // Another replica may already sign with a new key: look for it, not too often, and check again.
        Err(Refusal::UnknownKey) if sessions.look_for_new_keys(now).await => sessions.check_access(token, now),
        checked => checked,
    };
    let claims = checked?;
    sessions.note_use(&claims, now);
    req.extensions_mut().insert(Arc::clone(&claims));
    Ok(claims)
}

/// Without the data of a Keyfob every token is refused. The fault is the application's, so its log says what to do.
fn no_keyfob() -> AuthError {
    tracing::error!(
        "this application has no Keyfob, so every token is refused: call Keyfob::guard or Keyfob::configure on it"
    );
    AuthError::Invalid
}

impl From<Refusal> for AuthError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Expired => Self::Expired,
            Refusal::NotYetValid => Self::NotYetValid,
            Refusal::Invalid | Refusal::UnknownKey => Self::Invalid,
        }
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1); the scheme's case does not matter (RFC 9110 §11.1).
pub(crate) fn bearer_token(req: &HttpRequest) -> Result<&str, AuthError> {
    let mut headers = req.headers().get_all(AUTHORIZATION);
    let Some(header) = headers.next() else { return Err(AuthError::Missing) };
    let line = without_blanks(header.as_bytes());
    let (scheme, rest) = line.split_at(line.iter().position(|byte| *byte == b' ').unwrap_or(line.len()));
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(AuthError::Missing);
    }
    let token = without_blanks(rest);
    if token.is_empty() || token.contains(&b' ') || headers.next().is_some() {
        return Err(AuthError::Malformed);
    }
    std::str::from_utf8(token).map_err(|_| AuthError::Malformed)
}

/// Trims spaces at both ends.
fn without_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use actix_web::http::header::HeaderValue;
    use actix_web::rt::Runtime;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;
    use tracing_subscriber::fmt::SubscriberBuilder;

    use super::*;

    fn read(lines: &[Vec<u8>]) -> Result<String, AuthError> {
        let values = lines.iter().map(|line| HeaderValue::from_bytes(line).expect("a header value"));
        let request =
            values.fold(TestRequest::default(), |request, value| request.append_header((AUTHORIZATION, value)));
        bearer_token(&request.to_http_request()).map(str::to_owned)
    }

    /// Bearer headers, and near misses.
    fn words() -> impl Strategy<Value = Vec<String>> {
        let scheme = prop_oneof![4 => "[Bb][Ee][Aa][Rr][Ee][Rr]", 1 => "(Basic|Bearer,|Bear|[!-~]{1,6})"];
        let token = prop_oneof!["[A-Za-z0-9._~+/-]{1,20}={0,2}", "[!-~é]{1,20}"];
        (scheme, prop::collection::vec(token, 0..3)).prop_map(|(scheme, tokens)| [vec![scheme], tokens].concat())
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn only_bearer_and_one_token_pass(
            lines in prop::collection::vec(words(), 0..3), blanks in " {1,3}",
        ) {
            let written: Vec<_> = lines.iter().map(|words| words.join(&blanks).into_bytes()).collect();
            let is_bearer = lines.first().is_some_and(|words| words[0].eq_ignore_ascii_case("bearer"));
            let expected = match lines.as_slice() {
                _ if !is_bearer => Err(AuthError::Missing),
                [words] if words.len() == 2 => Ok(words[1].clone()),
                _ => Err(AuthError::Malformed),
            };
            prop_assert_eq!(read(&written), expected);
        }

        #[test]
        fn whatever_is_sent_at_most_one_word_after_bearer_is_the_token(
            scheme in prop::sample::select(vec!["", "Bearer", "bearer "]),
            rest in prop::collection::vec(prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8], 0..30),
        ) {
            let line = [scheme.as_bytes(), &rest].concat();
            if let Ok(token) = read(std::slice::from_ref(&line)) {
                let text = std::str::from_utf8(&line).expect("UTF-8").trim_matches(' ');
                let (scheme, given) = text.split_once(' ').expect("two words");
                prop_assert!(scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' '));
                prop_assert_eq!(given.trim_matches(' '), token);
            }
        }
    }

    #[test]
    fn an_application_that_forgot_the_guard_refuses_every_token_and_its_log_says_what_to_do() {
        let mut file = tempfile::tempfile().expect("a file");
        let written = Arc::new(file.try_clone().expect("the same file"));
        let log = SubscriberBuilder::default().with_ansi(false).with_writer(written).finish();
        let request = TestRequest::default().insert_header((AUTHORIZATION, "Bearer a.b.c")).to_http_request();
        let runtime = Runtime::new().expect("a runtime");
        let checked = tracing::subscriber::with_default(log, || runtime.block_on(authenticate(&request)));
        assert_eq!(checked.err(), Some(AuthError::Invalid));
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("the log");
        assert!(text.contains("ERROR") && text.contains("Keyfob::guard"), "{text:?}");
        assert!(!text.contains("a.b.c"), "{text:?}");
    }
}
