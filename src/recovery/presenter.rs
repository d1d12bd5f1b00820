//! Whoever presents a one-time token. The token is all that they need.

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use crate::accounts::store::UserRow;
use crate::attempts::{Attempt, Attempts, Begun};
use crate::audit::{EventType, NewEvent, Origin, Source};
use crate::db::{Db, Timestamp};
use crate::http::error::ApiError;
use crate::http::language::language_of;
use crate::language::Language;
use crate::mail::Outbox;
use crate::one_time_tokens::{OneTimeToken, Purpose, find_account};

pub(super) struct Presenter {
    pub origin: Origin,
    pub db: Data<Db>,
    pub outbox: Data<Outbox>,
    pub language: Language,
    attempts: Data<Attempts>,
}

impl FromRequest for Presenter {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            Ok(Self {
                origin: Origin::extract(&req).await?,
                db: Data::extract(&req).await?,
                outbox: Data::extract(&req).await?,
                language: language_of(&req),
                attempts: Data::extract(&req).await?,
            })
        })
    }
}

impl Presenter {
    /// What the presenter of a token does.
    pub(super) fn event(&self, kind: EventType, now: Timestamp) -> NewEvent {
        NewEvent::new(kind, &Source::request(self.origin.clone(), None), now)
    }

    /// Looks for the account of a token, before any work that costs more than that.
    pub(super) async fn find(&self, purpose: Purpose, token: &OneTimeToken) -> Result<(Begun<'_>, UserRow), ApiError> {
        let now = Timestamp::now();
        let begun = self.attempts.begin(&Attempt::on_one_time_token(self.origin.ip), now).await?;
        let token = token.clone();
        match self.db.read(move |conn| find_account(conn, purpose, &token, now)).await? {
            Some(user) => Ok((begun, user)),
            None => Err(refuse(begun).await),
        }
    }
}

/// Ends an attempt with a token that was used up or made worthless since it was found.
pub(super) async fn refuse(begun: Begun<'_>) -> ApiError {
    begun.failed(Timestamp::now()).await;
    ApiError::BadOneTimeToken
}
