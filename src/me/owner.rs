//! Actions reserved for the owner of an account, who confirms them with the password.

use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use utoipa::ToSchema;

use crate::accounts::Email;
use crate::accounts::store::UserRow;
use crate::attempts::{Attempt, Attempts};
use crate::audit::{Origin, Source};
use crate::db::{Conn, Id, Lookup, StoreError, Timestamp};
use crate::fields::{Field, Rejection, text};
use crate::guard::AuthError;
use crate::http::error::ApiError;
use crate::http::failure::Failure;
use crate::http::language::language_of;
use crate::language::Language;
use crate::mail::Outbox;
use crate::passwords::{MAX_COMPARISONS, Passwords, Verified};
use crate::sessions::Sessions;
use crate::sessions::end::Caller;
use crate::sessions::refusals::{Reason, Refusal};

/// A password as typed, for comparison.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Password, example = "correct horse battery staple")]
pub(super) struct TypedPassword(SecretString);

impl TypedPassword {
    /// Whether it is that address, which is no secret.
    pub(super) fn is(&self, email: &Email) -> bool {
        Email::key_of(self.0.expose_secret()) == email.key()
    }
}

impl Field for TypedPassword {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        text(value).map(|text| Self(text.into()))
    }
}

/// A caller who claims to own the account. As an extractor it refuses the same requests as [`Caller`](super::Caller).
pub(super) struct Owner {
    pub caller: Caller,
    pub address: IpAddr,
    /// For the events of what the owner does.
    pub source: Source,
    pub passwords: Data<Passwords>,
    pub outbox: Data<Outbox>,
    /// For the mails of what the owner does.
    pub language: Language,
    users: Data<Lookup<UserRow>>,
    attempts: Data<Attempts>,
    sessions: Data<Sessions>,
}

impl FromRequest for Owner {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = super::Caller::from_request(req, payload);
        let req = req.clone();
        Box::pin(async move {
            let (user, origin) = (user.await?, Origin::extract(&req).await?);
            Ok(Self {
                caller: user.caller(),
                address: origin.ip,
                source: user.source(origin),
                passwords: Data::extract(&req).await?,
                outbox: Data::extract(&req).await?,
                language: language_of(&req),
                users: Data::extract(&req).await?,
                attempts: Data::extract(&req).await?,
                sessions: Data::extract(&req).await?,
            })
        })
    }
}

impl Owner {
    pub(super) async fn find(&self) -> Result<UserRow, ApiError> {
        find_active(&self.users, self.caller.user_id).await
    }

    /// Compares the password with the account's.
    pub(super) async fn confirm(&self, row: &UserRow, password: &TypedPassword) -> Result<(), ApiError> {
        let key = Email::key_of(&row.email);
        let attempt = Attempt::on_account(&key, password.0.expose_secret(), self.address);
        let begun = self.attempts.begin(&attempt, Timestamp::now()).await;
        let begun = begun.inspect_err(|_| self.note_refusal(Reason::TooManyAttempts))?;
        match self.passwords.verify(password.0.clone(), Some(row.password_hash.clone()), self.address).await? {
            Verified::Right { .. } => {
                begun.succeeded(Timestamp::now()).await;
                Ok(())
            }
            Verified::Wrong => {
                self.note_refusal(Reason::WrongPassword);
                begun.failed(Timestamp::now()).await;
                Err(ApiError::Forbidden("The password is incorrect."))
            }
        }
    }

    /// For the audit trail.
    fn note_refusal(&self, reason: Reason) {
        let refusal = Refusal::of_action(self.caller.user_id, reason, self.source.clone());
        self.sessions.note_refusal(refusal, Timestamp::now());
    }

    /// Makes a change, and ends all sessions of the account except one.
    pub(super) async fn change<F>(
        &self,
        row: UserRow,
        password: &TypedPassword,
        except: Option<Id>,
        change: F,
    ) -> Result<(), ApiError>
    where
        F: Fn(&mut Conn, Timestamp) -> Result<(), StoreError> + Clone + Send + 'static,
    {
        let attempt = async |hash| {
            let change = self.sessions.change_account(self.caller, hash, except, change.clone(), Timestamp::now());
            Ok(change.await??.then_some(()))
        };
        self.with_compared_hash(row, password, attempt).await
    }

    /// Writes something that ends no session.
    pub(super) async fn write<T, F>(&self, row: UserRow, password: &TypedPassword, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: Fn(&mut Conn, UserRow) -> Result<T, StoreError> + Clone + Send + 'static,
    {
        let attempt = async |hash| Ok(self.sessions.write_as_owner(self.caller, hash, work.clone()).await??);
        self.with_compared_hash(row, password, attempt).await
    }

    /// Writes with the hash that the password was compared with. If it was replaced since the password was compared with
    /// that of `row`, compares again: the password is still right if a login renewed the hash, but not if the owner
    /// changed the password.
    async fn with_compared_hash<T>(
        &self,
        mut row: UserRow,
        password: &TypedPassword,
        attempt: impl AsyncFn(String) -> Result<Option<T>, ApiError>,
    ) -> Result<T, ApiError> {
        for _ in 1..MAX_COMPARISONS {
            if let Some(done) = attempt(row.password_hash).await? {
                return Ok(done);
            }
            row = self.find().await?;
            self.confirm(&row, password).await?;
        }
        let kept_changing = || Failure::Unavailable("the password hash kept changing".into());
        Ok(attempt(row.password_hash).await?.ok_or_else(kept_changing)?)
    }
}

/// Finds the account of a token. If the account is gone or disabled, the token is no longer valid.
pub(super) async fn find_active(users: &Lookup<UserRow>, id: Id) -> Result<UserRow, ApiError> {
    Ok(users.find(id).await?.filter(|row| row.is_active).ok_or(AuthError::AccountGone)?)
}
