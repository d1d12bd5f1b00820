//! Whoever presents a one-time token. The token is all that they need.

use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use crate::accounts::store::UserRow;
use crate::attempts::{Attempt, Attempts, Begun};
use crate::db::{Db, Timestamp};
use crate::http::error::ApiError;
use crate::http::origin::client_address;
use crate::one_time_tokens::{OneTimeToken, Purpose, find_account};

pub(super) struct Presenter {
    pub address: IpAddr,
    pub db: Data<Db>,
    attempts: Data<Attempts>,
}

impl FromRequest for Presenter {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            Ok(Self {
                address: client_address(&req),
                db: Data::extract(&req).await?,
                attempts: Data::extract(&req).await?,
            })
        })
    }
}

impl Presenter {
    /// Looks for the account of a token, before any work that costs more than that.
    pub(super) async fn find(&self, purpose: Purpose, token: &OneTimeToken) -> Result<(Begun<'_>, UserRow), ApiError> {
        let now = Timestamp::now();
        let begun = self.attempts.begin(&Attempt::on_one_time_token(self.address), now).await?;
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
