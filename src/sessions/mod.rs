//! The session rules: how a sign-in begins, is renewed, is recognised in an access token, and ends.

pub(crate) mod refresh_token;
pub(crate) mod revocations;
pub(crate) mod rotation;
mod upkeep;
pub(crate) mod uses;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;

use crate::accounts::store::{self as accounts, UserRow};
use crate::clients::Client;
use crate::config::{RevocationFail, TokenSettings};
use crate::db::{Conn, Db, Id, StoreError, Timestamp};
use crate::oauth::answer::TokenAnswer;
use crate::oauth::error::OAuthError;
use crate::tokens::access::AccessToken;
use crate::tokens::jwt::Refusal;
use crate::tokens::keyring::{Keyring, KeyringError, refresh_key};
use crate::tokens::scope::ScopeSet;
use crate::tokens::store::{self, NewSession, SessionRow};
use refresh_token::{RefreshToken, RefreshTokens, SessionSecret};
use revocations::Revocations;
use rotation::{Verdict, judge};
use uses::Uses;

/// The generation of a session's first refresh token.
const FIRST_GENERATION: i64 = 1;

/// Where a sign-in comes from, as the user is shown it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub ip: IpAddr,
    pub user_agent: Option<String>,
}

/// How a refresh ended inside the transaction.
enum Refreshed {
    Issued { user: UserRow, granted: ScopeSet, generation: i64 },
    Refused(OAuthError),
    Stolen,
}

/// How long the refresh tokens of a client live.
#[derive(Clone, Copy)]
struct Rule {
    /// One that is not used.
    refresh_ttl_seconds: i64,
    /// The one before, after a rotation.
    grace_seconds: u64,
}

/// Everything that sessions need.
pub(crate) struct Sessions {
    pub(super) db: Db,
    pub(super) settings: TokenSettings,
    pub(crate) keyring: Keyring,
    pub(super) refresh_tokens: RefreshTokens,
    pub(super) revocations: Revocations,
    pub(super) uses: Uses,
    /// When the last look for unknown keys was over.
    pub(super) looked_for_keys_at: Mutex<Option<Instant>>,
}

impl Sessions {
    pub(crate) async fn load(settings: &TokenSettings, db: &Db, now: Timestamp) -> Result<Self, KeyringError> {
        Ok(Self {
            db: db.clone(),
            settings: settings.clone(),
            keyring: Keyring::load(settings, db, now).await?,
            refresh_tokens: RefreshTokens::new(&refresh_key(settings, db, now).await?),
            revocations: Revocations::load(db, now).await?,
            uses: Uses::default(),
            looked_for_keys_at: Mutex::default(),
        })
    }

    /// Begins a session for a user whose password was right; `user` is as it was when the password was checked.
    pub(crate) async fn open(
        &self,
        user: UserRow,
        renewed_hash: Option<String>,
        scope: ScopeSet,
        client: &Client,
        origin: Origin,
    ) -> Result<TokenAnswer, OAuthError> {
        let now = Timestamp::now();
        let secret = SessionSecret::generate()?;
        let (user_id, client_id, secret_hash) = (user.id, client.id.clone(), secret.hash());
        let expires_at = now.plus_seconds(self.settings.session_ttl_seconds);
        let (granted, refresh_ttl_seconds) = (scope.clone(), self.rule(client).refresh_ttl_seconds);
        let session_id = self
            .db
            .write(move |conn| {
                // The gate again, now that no one can change the account at the same time.
                conn.lock_user(user_id)?;
                match accounts::find_user(conn, user_id)? {
                    Some(current) if current.is_active && current.password_hash == user.password_hash => {}
                    _ => return Ok(None),
                }
                if let Some(hash) = &renewed_hash {
                    accounts::update_password(conn, user_id, hash, now)?;
                }
                let session = NewSession {
                    user_id,
                    client_id: client_id.clone(),
                    scope: granted.as_str().to_owned(),
                    secret_hash: secret_hash.clone(),
                    generation: FIRST_GENERATION,
                    proven_generation: FIRST_GENERATION - 1,
                    refreshed_at: now,
                    refresh_ttl_seconds,
                    created_at: now,
                    last_used_at: now,
                    expires_at,
                    user_agent: origin.user_agent.clone(),
                    ip: Some(origin.ip.to_string()),
                };
                store::insert_session(conn, &session).map(Some)
            })
            .await?
            .ok_or(OAuthError::WrongCredentials)?;
        let token = RefreshToken { session_id, generation: FIRST_GENERATION, secret };
        self.answer(user_id, client, &token, scope, now)
    }

    /// Renews a session (RFC 6749 §6) by the rotation rule.
    pub(crate) async fn refresh(
        &self,
        text: &str,
        asked: Option<ScopeSet>,
        client: &Client,
    ) -> Result<TokenAnswer, OAuthError> {
        let now = Timestamp::now();
        let presented = self.refresh_tokens.read(text).ok_or(OAuthError::InvalidRefreshToken)?;
        let (token, asked_inside, client_id) = (presented.clone(), asked.clone(), client.id.clone());
        let (rule, tokens_expire_at) = (self.rule(client), self.tokens_expire_at(now));
        let refreshed = self
            .db
            .write(move |conn| {
                let refreshed = refresh_in(conn, &token, asked_inside.as_ref(), &client_id, rule, now)?;
                if matches!(refreshed, Refreshed::Stolen) {
                    store::update_revoked(conn, token.session_id, now, tokens_expire_at)?;
                }
                Ok(refreshed)
            })
            .await?;
        match refreshed {
            Refreshed::Issued { user, granted, generation } => {
                // Rights that were taken away since do not come back with a refresh.
                let may_have = granted.intersection(&ScopeSet::of_user(user.is_admin)).intersection(&client.scopes);
                let scope = asked.map_or(may_have.clone(), |asked| asked.intersection(&may_have));
                let live = RefreshToken { generation, ..presented };
                self.answer(user.id, client, &live, scope, now)
            }
            Refreshed::Refused(error) => Err(error),
            Refreshed::Stolen => {
                self.revocations.add(presented.session_id, tokens_expire_at, now);
                tracing::warn!(session = presented.session_id.get(), "refresh token used twice: session revoked");
                Err(OAuthError::InvalidRefreshToken)
            }
        }
    }

    /// Checks an access token: signature, claims, and that its session has not ended. Reads no database.
    pub(crate) fn check_access(&self, token: &str, now: Timestamp) -> Result<Arc<AccessToken>, Refusal> {
        let claims = self.keyring.check(token, now)?;
        if self.revocations.contains(claims.session_id) || self.fails_closed() {
            return Err(Refusal::Invalid);
        }
        Ok(claims)
    }

    /// Notes that an access token was used, which proves that its answer arrived.
    pub(crate) fn note_use(&self, claims: &AccessToken, now: Timestamp) {
        self.uses.note(claims.session_id, claims.generation, now);
    }

    /// The session of a refresh token that would be accepted now and is the live one.
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

    /// The session that a refresh token was issued for, used up or not.
    pub(crate) async fn find_of_refresh_token(&self, text: &str) -> Result<Option<SessionRow>, StoreError> {
        let Some(token) = self.refresh_tokens.read(text) else { return Ok(None) };
        let found = self.db.read(move |conn| store::find_session(conn, token.session_id)).await?;
        Ok(found.filter(|session| token.secret.matches(&session.secret_hash)))
    }

    /// The sessions of a user that have not ended, newest first.
    pub(crate) async fn list(&self, user_id: Id, now: Timestamp) -> Result<Vec<SessionRow>, StoreError> {
        self.db.read(move |conn| store::list_sessions(conn, user_id, now)).await
    }

    /// Ends a session of that user; false when there is none such.
    pub(crate) async fn end(&self, user_id: Id, session_id: Id, now: Timestamp) -> Result<bool, StoreError> {
        let tokens_expire_at = self.tokens_expire_at(now);
        let ended = self
            .db
            .write(move |conn| match store::find_session(conn, session_id)? {
                Some(session) if session.user_id == user_id => {
                    store::update_revoked(conn, session_id, now, tokens_expire_at)
                }
                _ => Ok(false),
            })
            .await?;
        if ended {
            self.revocations.add(session_id, tokens_expire_at, now);
        }
        Ok(ended)
    }

    /// Makes a change to an account and ends its sessions, but for one, in the same transaction.
    pub(crate) async fn end_all_with<T, F>(&self, user_id: Id, except: Option<Id>, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn, Timestamp) -> Result<T, StoreError> + Send + 'static,
    {
        let now = Timestamp::now();
        let tokens_expire_at = self.tokens_expire_at(now);
        let (result, ended) = self
            .db
            .write(move |conn| {
                // No log-in that knows the old state may begin a session after these are listed.
                conn.lock_user(user_id)?;
                let ended = store::list_live_session_ids(conn, user_id, except)?;
                for id in &ended {
                    store::update_revoked(conn, *id, now, tokens_expire_at)?;
                }
                Ok((change(conn, now)?, ended))
            })
            .await?;
        for id in ended {
            self.revocations.add(id, tokens_expire_at, now);
        }
        Ok(result)
    }

    pub(crate) fn settings(&self) -> &TokenSettings {
        &self.settings
    }

    /// A key that all replicas share, for another purpose than tokens.
    pub(crate) fn derive_key(&self, purpose: &str) -> Vec<u8> {
        self.refresh_tokens.derive_key(purpose)
    }

    fn fails_closed(&self) -> bool {
        self.settings.revocation_fail == RevocationFail::Closed && self.revocations.is_broken()
    }

    fn tokens_expire_at(&self, now: Timestamp) -> Timestamp {
        tokens_expire_at(&self.settings, now)
    }

    fn rule(&self, client: &Client) -> Rule {
        let ttl = client.refresh_ttl_seconds.unwrap_or(self.settings.refresh_ttl_seconds);
        Rule {
            refresh_ttl_seconds: i64::try_from(ttl).unwrap_or(i64::MAX),
            grace_seconds: self.settings.refresh_grace_seconds,
        }
    }
}

/// Ends all sessions of a user, whichever process serves them.
pub(crate) async fn end_sessions_of_user(db: &Db, settings: &TokenSettings, id: Id) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let tokens_expire_at = tokens_expire_at(settings, now);
    db.write(move |conn| {
        // A log-in that is under way is done before these are listed, or begins its session afterwards.
        conn.lock_user(id)?;
        for session_id in store::list_live_session_ids(conn, id, None)? {
            store::update_revoked(conn, session_id, now, tokens_expire_at)?;
        }
        Ok(())
    })
    .await
}

/// Removes a client and ends its sessions, whichever process serves them; false when there is no such client.
pub(crate) async fn end_sessions_of_client(db: &Db, settings: &TokenSettings, id: String) -> Result<bool, StoreError> {
    let now = Timestamp::now();
    let tokens_expire_at = tokens_expire_at(settings, now);
    db.write(move |conn| {
        for session_id in store::list_client_session_ids(conn, &id)? {
            store::update_revoked(conn, session_id, now, tokens_expire_at)?;
        }
        store::delete_client(conn, &id)
    })
    .await
}

/// When the last access token that was issued until now has expired.
fn tokens_expire_at(settings: &TokenSettings, now: Timestamp) -> Timestamp {
    now.plus_seconds(settings.access_ttl_seconds + 60)
}

/// Judges a presented token and rotates, inside the transaction.
fn refresh_in(
    conn: &mut Conn,
    token: &RefreshToken,
    asked: Option<&ScopeSet>,
    client_id: &str,
    rule: Rule,
    now: Timestamp,
) -> Result<Refreshed, StoreError> {
    let refused = Ok(Refreshed::Refused(OAuthError::InvalidRefreshToken));
    loop {
        let Some(mut session) = store::find_session(conn, token.session_id)? else { return refused };
        // A lifetime that was shortened since holds for the sessions that are there already.
        session.refresh_ttl_seconds = session.refresh_ttl_seconds.min(rule.refresh_ttl_seconds);
        if session.client_id != client_id || !token.secret.matches(&session.secret_hash) {
            return refused;
        }
        let verdict = judge(&session, token.generation, rule.grace_seconds, now);
        if matches!(verdict, Verdict::Ended | Verdict::Theft) {
            return if verdict == Verdict::Theft { Ok(Refreshed::Stolen) } else { refused };
        }
        let Some(user) = accounts::find_user(conn, session.user_id)?.filter(|user| user.is_active) else {
            return refused;
        };
        let granted = ScopeSet::parse(&session.scope).map_err(|error| StoreError::Internal(error.to_string()))?;
        if asked.is_some_and(|asked| !asked.is_subset_of(&granted)) {
            let wider = "A refresh may only narrow the scope that was granted".to_owned();
            return Ok(Refreshed::Refused(OAuthError::InvalidScope(wider)));
        }
        let live = session.generation;
        if verdict == Verdict::Repeat {
            store::update_last_use(conn, session.id, now)?;
            return Ok(Refreshed::Issued { user, granted, generation: live });
        }
        // Lost the race against another replica: look again what the token means now.
        if store::update_generation(conn, &session, rule.refresh_ttl_seconds, now)? {
            return Ok(Refreshed::Issued { user, granted, generation: live + 1 });
        }
    }
}
