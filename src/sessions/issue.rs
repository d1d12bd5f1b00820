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

/// A session in the database, and the live refresh token that its row was written for.
pub(crate) struct LiveSession {
    pub user_id: Id,
    pub client: Client,
    pub token: RefreshToken,
    /// What an access token may be used for.
    pub scope: ScopeSet,
    /// The time of that write: the row says when an access token issued then expires.
    pub written_at: Timestamp,
}

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
    /// Signs an access token for a session and encodes its live refresh token.
    pub(crate) fn issue(&self, session: LiveSession) -> Result<Issued, KeyError> {
        let LiveSession { user_id, client, token: live, scope, written_at: now } = session;
        let expires_in = Lives::of(&self.settings).for_client(&client).access_ttl_seconds;
        let claims = AccessToken {
            iss: self.settings.issuer.clone(),
            user_id,
            aud: Audience::One(self.settings.audience.clone()),
            expires_at: now.plus_seconds(expires_in).seconds(),
            not_before: None,
            issued_at: now.seconds(),
            token_id: random_id()?,
            client_id: client.id,
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
