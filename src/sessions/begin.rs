//! Begins a session after a password was found right. The transaction locks the account and the client and checks both
//! again.

use super::error::SessionError;
use super::issue::LiveSession;
use super::refresh_token::{RefreshToken, SessionSecret};
use super::revocations::store::{Ended, Which, end_sessions};
use super::store::{self, NewSession};
use super::{Lives, Sessions};
use crate::accounts::leaving;
use crate::accounts::store::{self as accounts, UserRow};
use crate::audit::{EventType, NewEvent, Origin, Source, insert_event};
use crate::clients::{Client, Grant};
use crate::db::{Conn, Id, StoreError, Timestamp};
use crate::tokens::scope::{ScopeSet, Scopes};

/// The generation of a session's first refresh token.
const FIRST_GENERATION: i64 = 1;

/// A login whose password was right.
#[derive(Clone)]
pub(crate) struct LogIn {
    /// The account as it was when the password was compared.
    pub user: UserRow,
    pub renewed_hash: Option<String>,
    /// The requested scope, if any.
    pub asked: Option<ScopeSet>,
    pub origin: Origin,
}

/// The outcome of a login inside the transaction.
enum Outcome {
    Opened {
        id: Id,
        scope: ScopeSet,
        client: Client,
        ended: Vec<Ended>,
    },
    Refused(SessionError),
    /// The account is no longer what the login was admitted to.
    Changed,
}

/// The terms of a new session.
struct Terms {
    lives: Lives,
    session_ttl_seconds: u64,
    max_per_account: u32,
    scopes: Scopes,
    secret_hash: Vec<u8>,
}

impl Sessions {
    /// Begins a session, for which [`Sessions::issue`] issues tokens. `None`: the account has another hash by now, or its
    /// address has been verified or is no longer, and the login must be checked against that.
    pub(crate) async fn open(
        &self,
        log_in: LogIn,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<LiveSession>, SessionError> {
        let secret = SessionSecret::generate()?;
        let (user_id, client) = (log_in.user.id, client.clone());
        let terms = Terms {
            lives: Lives::of(&self.settings),
            session_ttl_seconds: self.settings.session_ttl_seconds,
            max_per_account: self.max_per_account,
            scopes: self.scopes,
            secret_hash: secret.hash(),
        };
        match self.db.write(move |conn| open_in(conn, &log_in, &client, &terms, now)).await? {
            Outcome::Opened { id, scope, client, ended } => {
                self.revocations.add(&ended, now);
                let token = RefreshToken { session_id: id, generation: FIRST_GENERATION, secret };
                Ok(Some(LiveSession { user_id, client, token, scope, written_at: now }))
            }
            Outcome::Refused(error) => Err(error),
            Outcome::Changed => Ok(None),
        }
    }
}

fn open_in(
    conn: &mut Conn,
    log_in: &LogIn,
    client: &Client,
    terms: &Terms,
    now: Timestamp,
) -> Result<Outcome, StoreError> {
    let user_id = log_in.user.id;
    accounts::lock_user(conn, user_id)?;
    let Some(user) = accounts::find_user(conn, user_id)?.filter(|user| user.may_log_in(now)) else {
        return Ok(Outcome::Refused(SessionError::NoAccount));
    };
    if user.password_hash != log_in.user.password_hash || user.email_verified != log_in.user.email_verified {
        return Ok(Outcome::Changed);
    }
    let client = match client.look_again(conn, Grant::Password)? {
        Ok(client) => client,
        Err(error) => return Ok(Outcome::Refused(error.into())),
    };
    let may_have = client.may_have(&terms.scopes.of_user(user.is_admin));
    let scope = log_in.asked.as_ref().map_or(may_have.clone(), |asked| asked.intersection(&may_have));
    if scope.is_empty() {
        return Ok(Outcome::Refused(SessionError::NoScopeLeft));
    }
    if let Some(hash) = &log_in.renewed_hash {
        accounts::update_renewed_hash(conn, user_id, hash, now)?;
    }
    let source = Source::request(log_in.origin.clone(), Some(&client.id));
    leaving::come_back(conn, &user, &source, now)?;
    let ended = match store::find_surplus(conn, user_id, terms.max_per_account, now)? {
        Some(id) => end_sessions(conn, Which::UpTo { user_id, id }, now)?,
        None => Vec::new(),
    };
    let id = store::insert_session(conn, &session(log_in, &client, &scope, terms, now))?;
    insert_event(conn, &event(log_in, &client, id, ended.len(), now))?;
    Ok(Outcome::Opened { id, scope, client, ended })
}

fn session(log_in: &LogIn, client: &Client, scope: &ScopeSet, terms: &Terms, now: Timestamp) -> NewSession {
    let lives = terms.lives.for_client(client);
    NewSession {
        user_id: log_in.user.id,
        client_id: client.id.clone(),
        scope: scope.as_str().to_owned(),
        secret_hash: terms.secret_hash.clone(),
        generation: FIRST_GENERATION,
        proven_generation: FIRST_GENERATION - 1,
        refreshed_at: now,
        refresh_ttl_seconds: i64::try_from(lives.refresh_ttl_seconds).unwrap_or(i64::MAX),
        created_at: now,
        last_used_at: now,
        expires_at: now.plus_seconds(terms.session_ttl_seconds),
        user_agent: log_in.origin.user_agent.clone(),
        ip: Some(log_in.origin.ip.to_string()),
        tokens_expire_at: now.plus_seconds(lives.access_ttl_seconds),
    }
}

fn event(log_in: &LogIn, client: &Client, id: Id, ended: usize, now: Timestamp) -> NewEvent {
    let source = Source::request(log_in.origin.clone(), Some(&client.id));
    let event = NewEvent::new(EventType::LogIn, &source, now).by_owner(log_in.user.id).in_session(id);
    if ended > 0 { event.with("sessions_ended", ended) } else { event }
}
