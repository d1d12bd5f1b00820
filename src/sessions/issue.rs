//! Issues the tokens of a session.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::refresh_token::RefreshToken;
use super::{Lives, Sessions};
use crate::clients::Client;
use crate::db::{Id, Timestamp};
use crate::tokens::access::{AccessToken, Audience};
use crate::tokens::keys::{KeyError, random_bytes};
use crate::tokens::scope::ScopeSet;

/// An access token, and the live refresh token of its session.
pub(crate) struct Issued {
    pub access_token: String,
    /// Lifetime of the access token, in seconds.
    pub expires_in: u64,
    pub refresh_token: String,
    /// What the access token may be used for.
    pub scope: ScopeSet,
}

impl Sessions {
    /// Signs an access token for a session and encodes its live refresh token. The session's row already records when
    /// the access token expires, so `client` and `now` are those of that write.
    pub(super) fn issue(
        &self,
        user_id: Id,
        client: &Client,
        live: &RefreshToken,
        scope: ScopeSet,
        now: Timestamp,
    ) -> Result<Issued, KeyError> {
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
        Ok(Issued { access_token, expires_in, refresh_token, scope })
    }
}

/// 128 random bits.
fn random_id() -> Result<String, KeyError> {
    random_bytes::<16>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}
