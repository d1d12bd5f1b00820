//! The errors of the OAuth endpoints (RFC 6749 §5.2). Each variant is a cause; one place turns causes into responses.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use crate::attempts::TooMany;
use crate::clients::ClientError;
use crate::db::StoreError;
use crate::http::error::ApiError;
use crate::http::failure::Failure;
use crate::passwords::Busy;
use crate::sessions::error::SessionError;
use crate::tokens::REALM;
use crate::tokens::keys::KeyError;

/// The outcome of a token request that got a token.
pub(super) const SUCCESS: &str = "success";
/// What clients are told beside `invalid_grant` if the address has to be verified first.
const EMAIL_UNVERIFIED: &str = "email_unverified";
/// Every outcome of a token request: success, and those of [`OAuthError::outcome`].
pub(crate) const OUTCOMES: [&str; 13] = [
    SUCCESS,
    "wrong_credentials",
    EMAIL_UNVERIFIED,
    "invalid_refresh_token",
    "slow_down",
    "busy",
    "invalid_request",
    "invalid_client",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "temporarily_unavailable",
    "server_error",
];

/// Why an OAuth endpoint refused. Texts use only characters of RFC 6749 §5.2: ASCII, no quotes, no backslash.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// A parameter is missing or repeated, or the body is not a form: 400.
    #[error("{0}")]
    InvalidRequest(String),
    /// The client is unknown or failed to authenticate: 401.
    #[error("Client authentication failed")]
    InvalidClient,
    /// The account is unknown or disabled, or the password is wrong: 400.
    #[error("Incorrect username or password")]
    WrongCredentials,
    /// The password is right, but only accounts with a verified address may log in: 400, with a `reason`.
    #[error("The e-mail address is not verified: a mail with a link is on its way to it")]
    EmailUnverified,
    /// The refresh token is unknown, used, expired, revoked or another client's: 400.
    #[error("The refresh token is not valid: it was used, has expired, was revoked or belongs to another client")]
    InvalidRefreshToken,
    /// The grant type is known, but not for this client: 400.
    #[error("This client is not allowed to use this grant type")]
    UnauthorizedClient,
    /// The grant type is unknown: 400.
    #[error("The grant type should be password or refresh_token")]
    UnsupportedGrantType,
    /// A scope is unknown, wider than granted, or none is left: 400.
    #[error("{0}")]
    InvalidScope(String),
    /// A failure that can happen on any route.
    #[error("{0}")]
    Failed(#[from] Failure),
}

impl OAuthError {
    /// The outcome as a metrics label.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::WrongCredentials => "wrong_credentials",
            Self::EmailUnverified => EMAIL_UNVERIFIED,
            Self::InvalidRefreshToken => "invalid_refresh_token",
            Self::Failed(Failure::Busy { .. }) => "busy",
            _ => self.code(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::WrongCredentials | Self::EmailUnverified | Self::InvalidRefreshToken => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope(_) => "invalid_scope",
            Self::Failed(failure) => code_of(failure),
        }
    }
}

/// RFC 6749 has no codes for most of these: `invalid_request` if the request is at fault, else codes that clients know.
fn code_of(failure: &Failure) -> &'static str {
    match failure {
        Failure::MethodNotAllowed { .. }
        | Failure::BodyTooLarge { .. }
        | Failure::BodyTooSlow { .. }
        | Failure::HeadTooLarge { .. }
        | Failure::PreflightRefused(_) => "invalid_request",
        Failure::TooManyAttempts { .. } => "slow_down",
        Failure::Busy { .. } | Failure::Unavailable(_) | Failure::Unwritable(_) => "temporarily_unavailable",
        Failure::Internal(_) => "server_error",
    }
}

impl ResponseError for OAuthError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::Failed(failure) => failure.status(),
            _ => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = match self {
            Self::Failed(failure) => failure.response(),
            _ => HttpResponse::build(self.status_code()),
        };
        response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
        if matches!(self, Self::InvalidClient) {
            response.insert_header((header::WWW_AUTHENTICATE, format!("Basic realm=\"{REALM}\"")));
        }
        let text = self.to_string();
        let mut body = json!({ "error": self.code(), "error_description": text, "detail": text });
        if let (Self::EmailUnverified, Some(members)) = (self, body.as_object_mut()) {
            members.insert("reason".to_owned(), EMAIL_UNVERIFIED.into());
        }
        response.json(body)
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<KeyError> for OAuthError {
    fn from(error: KeyError) -> Self {
        Failure::Internal(error.to_string()).into()
    }
}

impl From<Busy> for OAuthError {
    fn from(Busy { retry_after_seconds }: Busy) -> Self {
        Failure::Busy { retry_after_seconds }.into()
    }
}

impl From<ClientError> for OAuthError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unknown => Self::InvalidClient,
            ClientError::NotAllowed => Self::UnauthorizedClient,
        }
    }
}

impl From<SessionError> for OAuthError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NoAccount => Self::WrongCredentials,
            SessionError::InvalidRefreshToken => Self::InvalidRefreshToken,
            SessionError::NoScopeLeft => {
                Self::InvalidScope("None of the requested scopes is allowed for this user and client".into())
            }
            SessionError::WiderScope => Self::InvalidScope("A refresh can only narrow the granted scope".into()),
            SessionError::Client(error) => error.into(),
            SessionError::Store(error) => error.into(),
            SessionError::Key(error) => error.into(),
        }
    }
}

impl From<TooMany> for OAuthError {
    fn from(TooMany { retry_after_seconds }: TooMany) -> Self {
        Failure::TooManyAttempts { retry_after_seconds }.into()
    }
}

impl From<ApiError> for OAuthError {
    /// Turns errors in reading a body into errors of the OAuth endpoints.
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Failed(failure) => Self::Failed(failure),
            ApiError::WrongContentEncoding { coding } => {
                Self::InvalidRequest(format!("The Content-Encoding {coding} is not supported: send the body as it is"))
            }
            _ => Self::InvalidRequest("The body could not be read: it was cut off".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_listed() {
        let refusals = [
            OAuthError::InvalidRequest(String::new()),
            OAuthError::InvalidClient,
            OAuthError::WrongCredentials,
            OAuthError::EmailUnverified,
            OAuthError::InvalidRefreshToken,
            OAuthError::UnauthorizedClient,
            OAuthError::UnsupportedGrantType,
            OAuthError::InvalidScope(String::new()),
            Failure::TooManyAttempts { retry_after_seconds: 1 }.into(),
            Failure::Busy { retry_after_seconds: 1 }.into(),
            Failure::Unavailable(String::new()).into(),
            Failure::Internal(String::new()).into(),
        ];
        for refusal in &refusals {
            assert!(OUTCOMES.contains(&refusal.outcome()), "{}", refusal.outcome());
        }
        assert_eq!(refusals.len() + 1, OUTCOMES.len(), "and nothing else is");
    }
}
