//! The response of the token endpoint (RFC 6749 §5.1).

use serde::Serialize;
use utoipa::ToSchema;

use crate::sessions::issue::Issued;
use crate::tokens::scope::ScopeSet;

/// The response of the token endpoint (RFC 6749 §5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    /// Send it as `Authorization: Bearer`.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")]
    access_token: String,
    /// `bearer`.
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Lifetime of the access token, in seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// Exchange it for new tokens with `grant_type=refresh_token`. Each use replaces it.
    #[schema(example = "kfr_AAAAAAAAAAEAAAAAAAAAAQ")]
    refresh_token: String,
    /// The granted scopes, space-separated.
    #[schema(value_type = String, example = "profile posts")]
    scope: ScopeSet,
}

impl From<Issued> for TokenAnswer {
    fn from(Issued { access_token, expires_in, refresh_token, scope }: Issued) -> Self {
        Self { access_token, token_type: "bearer", expires_in, refresh_token, scope }
    }
}
