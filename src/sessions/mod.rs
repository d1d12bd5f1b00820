//! Sessions: looks them up and checks access tokens against them. `begin`, `renew` and `end` do the rest.

pub(crate) mod acts;
pub(crate) mod begin;
pub(crate) mod end;
pub(crate) mod error;
pub(crate) mod issue;
pub(crate) mod listing;
pub(crate) mod refresh_token;
pub(crate) mod refusals;
mod renew;
pub(crate) mod revocations;
pub(crate) mod rotation;
pub(crate) mod store;
mod upkeep;
pub(crate) mod uses;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;

use crate::accounts::store as accounts;
use crate::clients::Client;
use crate::config::{RevocationFail, SessionSettings, TokenSettings};
use crate::db::page::Page;
use crate::db::{Db, Id, StoreError, Timestamp};
use crate::tokens::access::AccessToken;
use crate::tokens::jwt::Refusal;
use crate::tokens::keyring::{Keyring, KeyringError, refresh_key};
use crate::tokens::scope::Scopes;
use refresh_token::RefreshTokens;
use refusals::Refusals;
use revocations::Revocations;
use rotation::{Verdict, judge};
use store::SessionRow;
use uses::Uses;

/// Lifetimes of a client's tokens.
#[derive(Clone, Copy)]
pub(crate) struct Lives {
    pub access_ttl_seconds: u64,
    /// Of a refresh token that is not used.
    pub refresh_ttl_seconds: u64,
    /// Of the previous refresh token, after a rotation.
    pub grace_seconds: u64,
}

impl Lives {
    /// The lifetimes in the settings; a client may have its own.
    pub(crate) fn of(settings: &TokenSettings) -> Self {
        Self {
            access_ttl_seconds: settings.access_ttl_seconds,
            refresh_ttl_seconds: settings.refresh_ttl_seconds,
            grace_seconds: settings.refresh_grace_seconds,
        }
    }

    pub(crate) fn for_client(self, client: &Client) -> Self {
        Self {
            access_ttl_seconds: client.access_ttl_seconds.unwrap_or(u64::MAX).min(self.access_ttl_seconds),
            refresh_ttl_seconds: client.refresh_ttl_seconds.unwrap_or(self.refresh_ttl_seconds),
            ..self
        }
    }
}

/// Everything that sessions need.
pub(crate) struct Sessions {
    pub(crate) db: Db,
    pub(crate) settings: TokenSettings,
    pub(crate) max_per_account: u32,
    /// The scopes that there are.
    pub(crate) scopes: Scopes,
    pub(crate) keyring: Keyring,
    pub(crate) refresh_tokens: RefreshTokens,
    pub(crate) revocations: Revocations,
    pub(crate) uses: Uses,
    pub(crate) refusals: Refusals,
    /// When the last search for unknown keys ended.
    pub(crate) looked_for_keys_at: Mutex<Option<Instant>>,
}

impl Sessions {
    pub(crate) async fn load(
        settings: &TokenSettings,
        sessions: &SessionSettings,
        scopes: Scopes,
        db: &Db,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        Ok(Self {
            db: db.clone(),
            settings: settings.clone(),
            max_per_account: sessions.max_per_account,
            scopes,
            keyring: Keyring::load(settings, db, now).await?,
            refresh_tokens: RefreshTokens::new(&refresh_key(settings, db, now).await?),
            revocations: Revocations::load(db, now).await?,
            uses: Uses::default(),
            refusals: Refusals::default(),
            looked_for_keys_at: Mutex::default(),
        })
    }

    /// Checks an access token: signature, claims, and that its session has not ended. Reads no database.
    pub(crate) fn check_access(&self, token: &str, now: Timestamp) -> Result<Arc<AccessToken>, Refusal> {
        let claims = self.keyring.check(token, now)?;
        if self.has_ended(claims.session_id) {
            return Err(Refusal::Invalid);
        }
        Ok(claims)
    }

    /// Whether all access tokens of a session are refused.
    pub(crate) fn has_ended(&self, session_id: Id) -> bool {
        self.revocations.contains(session_id) || self.fails_closed()
    }

    /// Notes that an access token was used, which proves that the response with it arrived.
    pub(crate) fn note_use(&self, claims: &AccessToken, now: Timestamp) {
        self.uses.note(claims.session_id, claims.generation, now);
    }

    /// The session of a refresh token that is the live one and would be accepted now.
    pub(crate) async fn find_live(&self, text: &str, now: Timestamp) -> Result<Option<SessionRow>, StoreError> {
        let Some(token) = self.refresh_tokens.read(text) else { return Ok(None) };
        let grace_seconds = self.settings.refresh_grace_seconds;
        self.db
            .read(move |conn| {
                let Some(session) = store::find_session(conn, token.session_id)? else { return Ok(None) };
                let user = accounts::find_user(conn, session.user_id)?;
                let is_live = token.secret.matches(&session.secret_hash)
                    && judge(&session, token.generation, grace_seconds, now) == Verdict::Rotate
                    && user.is_some_and(|user| user.is_active);
                Ok(is_live.then_some(session))
            })
            .await
    }

    /// The session that a refresh token was issued for, even if the token is used up.
    pub(crate) async fn find_of_refresh_token(&self, text: &str) -> Result<Option<SessionRow>, StoreError> {
        let Some(token) = self.refresh_tokens.read(text) else { return Ok(None) };
        let found = self.db.read(move |conn| store::find_session(conn, token.session_id)).await?;
        Ok(found.filter(|session| token.secret.matches(&session.secret_hash)))
    }

    /// A page of a user's live sessions, newest first, plus one more if there is a next page.
    pub(crate) async fn list(&self, user_id: Id, page: Page, now: Timestamp) -> Result<Vec<SessionRow>, StoreError> {
        self.db.read(move |conn| store::list_sessions(conn, user_id, page, now)).await
    }

    pub(crate) fn settings(&self) -> &TokenSettings {
        &self.settings
    }

    /// A key for a purpose other than tokens, the same on all replicas.
    pub(crate) fn derive_key(&self, purpose: &str) -> Vec<u8> {
        self.refresh_tokens.derive_key(purpose)
    }

    fn fails_closed(&self) -> bool {
        self.settings.revocation_fail == RevocationFail::Closed && self.revocations.is_broken()
    }
}
