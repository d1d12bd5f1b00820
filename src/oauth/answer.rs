//! What the token endpoint answers (RFC 6749 §5.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::OAuthError;
use crate::clients::Client;
use crate::db::{Id, Timestamp};
use crate::sessions::refresh_token::RefreshToken;
use crate::sessions::{Lives, Sessions};
use crate::tokens::access::{AccessToken, Audience};
use crate::tokens::keys::{KeyError, random_bytes};
use crate::tokens::scope::ScopeSet;

/// What the token endpoint answers (RFC 6749 §5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    /// Send it as `Authorization: Bearer`.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")]
    access_token: String,
    /// `bearer`.
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// How long the access token lives, in seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// Exchange it for new tokens with `grant_type=refresh_token`; each is replaced when it is used.
    #[schema(example = "kfr_AAAAAAAAAAEAAAAAAAAAAQ")]
    refresh_token: String,
    /// What the access token may be used for, space-separated.
    #[schema(value_type = String, example = "profile posts")]
    scope: ScopeSet,
}

impl Sessions {
    /// Signs an access token for a session and writes down its live refresh token. When the access token expires is noted
    /// with the session already, so the client and the time are those of that write.
    pub(crate) fn answer(
        &self,
        user_id: Id,
        client: &Client,
        live: &RefreshToken,
        scope: ScopeSet,
        now: Timestamp,
    ) -> Result<TokenAnswer, OAuthError> {
        let expires_in = Lives::of(&self.settings).for_client(client).access_ttl_seconds;
        let claims = AccessToken {
            iss: self.settings.issuer.clone(),
            user_id,
            aud: Audience::One(self.settings.audience.clone()),
            expires_at: now.plus_seconds(expires_in).seconds(),
            not_before: None,
            issued_at: now.seconds(),
            token_id: random_id()?,
            client_id: client.id.clone(),
            scope: scope.clone(),
            session_id: live.session_id,
            generation: live.generation,
        };
        let access_token = self.keyring.sign(&claims, now)?;
        let refresh_token = self.refresh_tokens.write(live.session_id, live.generation, &live.secret);
        Ok(TokenAnswer { access_token, token_type: "bearer", expires_in, refresh_token, scope })
    }
}

/// 128 random bits.
fn random_id() -> Result<String, KeyError> {
    random_bytes::<16>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}
