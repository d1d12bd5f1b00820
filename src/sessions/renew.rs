//! Renews a session (RFC 6749 §6) by the rotation rule.

use super::end::end_with_event;
use super::error::SessionError;
use super::issue::LiveSession;
use super::refresh_token::RefreshToken;
use super::revocations::store::{Ended, Which};
use super::rotation::{Verdict, judge};
use super::store::{self, SessionRow};
use super::{Lives, Sessions};
use crate::accounts::store as accounts;
use crate::audit::{EventType, NewEvent, Origin, Source};
use crate::clients::{Client, Grant};
use crate::db::{Conn, Id, StoreError, Timestamp};
use crate::tokens::scope::ScopeSet;

/// The outcome of a refresh inside the transaction.
enum Refreshed {
    Renewed { user_id: Id, is_admin: bool, client: Client, granted: ScopeSet, generation: i64 },
    Refused(SessionError),
    Stolen(Vec<Ended>),
}

/// A request for new tokens.
#[derive(Clone)]
struct Request {
    token: RefreshToken,
    /// The requested scope, if any.
    asked: Option<ScopeSet>,
    origin: Origin,
}

impl Sessions {
    /// Renews a session, for which [`Sessions::issue`] issues tokens.
    pub(crate) async fn refresh(
        &self,
        text: &str,
        asked: Option<ScopeSet>,
        client: &Client,
        origin: Origin,
        now: Timestamp,
    ) -> Result<LiveSession, SessionError> {
        let token = self.refresh_tokens.read(text).ok_or(SessionError::InvalidRefreshToken)?;
        let request = Request { token, asked, origin };
        let (inside, client, lives) = (request.clone(), client.clone(), Lives::of(&self.settings));
        let refreshed = self
            .db
            .write(move |conn| match client.look_again(conn, Grant::RefreshToken)? {
                Ok(client) => refresh_in(conn, &inside, (&client, lives), now),
                Err(error) => Ok(Refreshed::Refused(error.into())),
            })
            .await?;
        match refreshed {
            Refreshed::Renewed { user_id, is_admin, client, granted, generation } => {
                // A refresh does not restore rights that were withdrawn since.
                let may_have = client.may_have(&granted.intersection(&self.scopes.of_user(is_admin)));
                let scope = request.asked.map_or(may_have.clone(), |asked| asked.intersection(&may_have));
                let token = RefreshToken { generation, ..request.token };
                Ok(LiveSession { user_id, client, token, scope, written_at: now })
            }
            Refreshed::Refused(error) => Err(error),
            Refreshed::Stolen(ended) => {
                self.revocations.add(&ended, now);
                tracing::warn!(session = request.token.session_id.get(), "refresh token used twice: session revoked");
                Err(SessionError::InvalidRefreshToken)
            }
        }
    }
}

/// Judges a presented token and rotates, inside the transaction.
fn refresh_in(
    conn: &mut Conn,
    Request { token, asked, origin }: &Request,
    (client, lives): (&Client, Lives),
    now: Timestamp,
) -> Result<Refreshed, StoreError> {
    let refused = Ok(Refreshed::Refused(SessionError::InvalidRefreshToken));
    let lives = lives.for_client(client);
    loop {
        let Some(mut session) = store::find_session(conn, token.session_id)? else { return refused };
        // A lifetime that was shortened since also applies to existing sessions.
        let refresh_ttl_seconds = i64::try_from(lives.refresh_ttl_seconds).unwrap_or(i64::MAX);
        session.refresh_ttl_seconds = session.refresh_ttl_seconds.min(refresh_ttl_seconds);
        if session.client_id != client.id || !token.secret.matches(&session.secret_hash) {
            return refused;
        }
        let verdict = judge(&session, token.generation, lives.grace_seconds, now);
        if verdict == Verdict::Theft {
            let stolen = Which::One { user_id: session.user_id, id: session.id };
            let source = Source::request(origin.clone(), Some(&client.id));
            let event = NewEvent::new(EventType::RefreshReused, &source, now).of(session.user_id);
            return end_with_event(conn, stolen, event, now).map(Refreshed::Stolen);
        }
        let Some(user) = accounts::find_user(conn, session.user_id)?.filter(|user| user.is_active) else {
            return refused;
        };
        if verdict == Verdict::Ended {
            return refused;
        }
        let granted = ScopeSet::stored(session.scope.clone());
        if asked.as_ref().is_some_and(|asked| !asked.is_subset_of(&granted)) {
            return Ok(Refreshed::Refused(SessionError::WiderScope));
        }
        // `None`: another replica won the race. Judge the token again.
        if let Some(generation) = renew(conn, &session, verdict, lives, now)? {
            let (user_id, is_admin) = (user.id, user.is_admin);
            return Ok(Refreshed::Renewed { user_id, is_admin, client: client.clone(), granted, generation });
        }
    }
}

/// Records that tokens are issued, of the next generation or of the live one again. `None`: the session has changed.
fn renew(
    conn: &mut Conn,
    session: &SessionRow,
    verdict: Verdict,
    lives: Lives,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let tokens_expire_at = now.plus_seconds(lives.access_ttl_seconds);
    let live = session.generation;
    if verdict == Verdict::Repeat {
        return Ok(store::update_repeated(conn, session, tokens_expire_at, now)?.then_some(live));
    }
    let refresh_ttl_seconds = i64::try_from(lives.refresh_ttl_seconds).unwrap_or(i64::MAX);
    let is_moved = store::update_generation(conn, session, refresh_ttl_seconds, tokens_expire_at, now)?;
    Ok(is_moved.then_some(live + 1))
}
