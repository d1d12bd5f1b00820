//! The one check behind both doors.

use std::sync::Arc;

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};

use super::error::AuthError;
use crate::db::Timestamp;
use crate::tokens::AccessToken;
use crate::tokens::jwt::Refusal;
use crate::tokens::sessions::Sessions;

/// The claims of a token that was accepted, shared within its request.
pub(super) type Accepted = Arc<AccessToken>;

/// Checks the bearer token of a request; once a request, however many ask.
pub(super) async fn authenticate(req: &HttpRequest) -> Result<Accepted, AuthError> {
    if let Some(accepted) = req.extensions().get::<Accepted>() {
        return Ok(Arc::clone(accepted));
    }
    let token = bearer_token(req)?;
    // A guard without the data of a Keyfob lets nobody in.
    let sessions = req.app_data::<Data<Sessions>>().ok_or(AuthError::Invalid)?;
    let now = Timestamp::now();
    let checked = match sessions.check_access(token, now) {
        // Another replica may have begun to sign under a new key: look for it, not too often, and check again.
        Err(Refusal::UnknownKey) if sessions.look_for_new_keys(now).await => sessions.check_access(token, now),
        checked => checked,
    };
    let claims = checked?;
    sessions.note_use(&claims, now);
    req.extensions_mut().insert(Arc::clone(&claims));
    Ok(claims)
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
fn bearer_token(req: &HttpRequest) -> Result<&str, AuthError> {
    let mut headers = req.headers().get_all(AUTHORIZATION);
    let Some(header) = headers.next() else { return Err(AuthError::Missing) };
    let mut words = header.as_bytes().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    if !words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer")) {
        return Err(AuthError::Missing);
    }
    match (words.next(), words.next(), headers.next()) {
        (Some(token), None, None) => std::str::from_utf8(token).map_err(|_| AuthError::Malformed),
        _ => Err(AuthError::Malformed),
    }
}
