//! The token endpoint's grants: password (RFC 6749 §4.3) and refresh token (§6).

use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::answer::TokenAnswer;
use super::credentials::ClientCredentials;
use super::error::OAuthError;
use super::form::OAuthForm;
use crate::accounts::Email;
use crate::accounts::store::{self, UserRow};
use crate::attempts::{Attempt, Attempts};
use crate::audit::Origin;
use crate::clients::{Client, Grant};
use crate::config::AccountSettings;
use crate::db::{Conn, Db, Id, Timestamp};
use crate::http::failure::Failure;
use crate::http::language::language_of;
use crate::language::Language;
use crate::mail::{Kind, NewMail, Outbox};
use crate::passwords::{MAX_COMPARISONS, Passwords, Verified};
use crate::sessions::Sessions;
use crate::sessions::begin::LogIn;
use crate::sessions::issue::LiveSession;
use crate::sessions::refusals::{Reason, Refusal};
use crate::tokens::scope::{ScopeSet, Scopes};

/// The services that the grants use.
pub(crate) struct Grants {
    pub sessions: Data<Sessions>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    attempts: Data<Attempts>,
    accounts: Data<AccountSettings>,
    outbox: Data<Outbox>,
    /// For the mails of what a login does.
    language: Language,
}

impl FromRequest for Grants {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            Ok(Self {
                sessions: Data::extract(&req).await?,
                db: Data::extract(&req).await?,
                passwords: Data::extract(&req).await?,
                attempts: Data::extract(&req).await?,
                accounts: Data::extract(&req).await?,
                outbox: Data::extract(&req).await?,
                language: language_of(&req),
            })
        })
    }
}

impl Grants {
    /// The password grant.
    pub(crate) async fn log_in(
        &self,
        asked: PasswordRequest,
        credentials: ClientCredentials,
        origin: Origin,
    ) -> Result<TokenAnswer, OAuthError> {
        // Before any lookup, even of the client.
        let attempt = Attempt::on_account(&asked.email_key, asked.password.expose_secret(), origin.ip);
        let begun = self.attempts.begin(&attempt, Timestamp::now()).await.inspect_err(|_| {
            self.sessions.note_refusal(Refusal::too_many(&asked.email_key, origin.clone()), Timestamp::now());
        })?;
        let client = self.authenticate(credentials, Grant::Password, origin.ip).await?;
        let opened = self.open_session(asked, &client, origin).await;
        match &opened {
            // The password was right.
            Ok(_) | Err(OAuthError::InvalidScope(_) | OAuthError::EmailUnverified) => {
                begun.succeeded(Timestamp::now()).await
            }
            Err(OAuthError::WrongCredentials) => begun.failed(Timestamp::now()).await,
            Err(_) => drop(begun),
        }
        Ok(self.sessions.issue(opened?)?.into())
    }

    /// The refresh token grant.
    pub(crate) async fn refresh(
        &self,
        asked: RefreshRequest,
        credentials: ClientCredentials,
        origin: Origin,
    ) -> Result<TokenAnswer, OAuthError> {
        let client = self.authenticate(credentials, Grant::RefreshToken, origin.ip).await?;
        let RefreshRequest { token, scope } = asked;
        let renewed = self.sessions.refresh(token.expose_secret(), scope, &client, origin, Timestamp::now()).await?;
        Ok(self.sessions.issue(renewed)?.into())
    }

    /// The client, if it may use the grant.
    async fn authenticate(
        &self,
        credentials: ClientCredentials,
        grant: Grant,
        address: IpAddr,
    ) -> Result<Client, OAuthError> {
        let settings = self.sessions.settings();
        let client = credentials.authenticate(&self.db, settings, &self.attempts, address).await?;
        let is_open = grant != Grant::Password || settings.password_grant;
        if is_open && client.allows(grant) { Ok(client) } else { Err(OAuthError::UnauthorizedClient) }
    }

    /// Compares the password and begins a session. If the account has changed meanwhile, compares again: the password is
    /// still right if another login renewed the hash, but not if the owner changed the password.
    async fn open_session(
        &self,
        asked: PasswordRequest,
        client: &Client,
        origin: Origin,
    ) -> Result<LiveSession, OAuthError> {
        let PasswordRequest { email_key, password, scope } = asked;
        for _ in 0..MAX_COMPARISONS {
            let (user, renewed_hash) =
                self.check_password((email_key.clone(), password.clone()), client, &origin).await?;
            let log_in = LogIn { user, renewed_hash, asked: scope.clone(), origin: origin.clone() };
            if let Some(session) = self.sessions.open(log_in, client, Timestamp::now()).await? {
                return Ok(session);
            }
        }
        Err(Failure::Unavailable("the account kept changing".into()).into())
    }

    /// Unknown, wrong and disabled: the same lookup, the same work, the same response. Noting a refusal takes about the
    /// same too: an entry in memory, which is written later and by another thread.
    async fn check_password(
        &self,
        (key, password): (String, SecretString),
        client: &Client,
        origin: &Origin,
    ) -> Result<(UserRow, Option<String>), OAuthError> {
        let found = self.db.read(move |conn| store::find_user_by_email_key(conn, &key)).await?;
        let (user_id, now) = (found.as_ref().map(|user| user.id), Timestamp::now());
        let reason = match &found {
            None => Reason::UnknownAccount,
            Some(user) if user.may_log_in(now) => Reason::WrongPassword,
            Some(_) => Reason::Disabled,
        };
        // A right password takes less work than a wrong one, and would reveal a disabled account.
        let user = found.filter(|user| user.may_log_in(now));
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        match (user, self.passwords.verify(password, hash, origin.ip).await?) {
            (Some(user), Verified::Right { .. }) if self.accounts.require_verified_email && !user.email_verified => {
                let refusal = Refusal::at_account(user_id, Reason::EmailUnverified, &client.id, origin.clone());
                self.sessions.note_refusal(refusal, Timestamp::now());
                self.send_verification(user.id).await?;
                Err(OAuthError::EmailUnverified)
            }
            (Some(user), Verified::Right { renewed_hash }) => Ok((user, renewed_hash)),
            _ => {
                let refusal = Refusal::at_account(user_id, reason, &client.id, origin.clone());
                self.sessions.note_refusal(refusal, Timestamp::now());
                Err(OAuthError::WrongCredentials)
            }
        }
    }
}

impl Grants {
    /// Sends the owner of an account, who has just given the right password, a link to verify the address.
    async fn send_verification(&self, user_id: Id) -> Result<(), OAuthError> {
        let mail = NewMail::new(Kind::EmailVerification, self.language).of(user_id);
        let (outbox, now) = (self.outbox.clone(), Timestamp::now());
        let queue = move |conn: &mut Conn| {
            // It may have been deleted meanwhile.
            if store::find_user(conn, user_id)?.is_some() { outbox.queue(conn, &mail, now) } else { Ok(()) }
        };
        Ok(self.db.write(queue).await?)
    }
}

/// A token request with all its parameters.
pub(crate) enum TokenRequest {
    Password(PasswordRequest),
    RefreshToken(RefreshRequest),
}

/// RFC 6749 §4.3.2.
pub(crate) struct PasswordRequest {
    email_key: String,
    password: SecretString,
    scope: Option<ScopeSet>,
}

/// RFC 6749 §6.
pub(crate) struct RefreshRequest {
    token: SecretString,
    scope: Option<ScopeSet>,
}

impl TokenRequest {
    /// Reads a request; `scopes` are those that there are.
    pub(crate) fn read(form: &mut OAuthForm, scopes: Scopes) -> Result<Self, OAuthError> {
        let grant_type = form.take("grant_type")?;
        let username = form.take("username")?.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        let grant = match (grant_type.as_deref(), &username) {
            // The default, as in FastAPI's form.
            (None, Some(_)) => Grant::Password,
            // A password, or a misnamed user name, shows that the password grant is meant: `username` is missing.
            (None, None) if form.peek("password").is_some() || form.other_name("username").is_some() => Grant::Password,
            (None, None) => return Err(form.missing("grant_type")),
            (Some(text), _) => Grant::parse(text).ok_or(OAuthError::UnsupportedGrantType)?,
        };
        match grant {
            Grant::Password => Ok(Self::Password(PasswordRequest {
                email_key: Email::key_of(&username.ok_or_else(|| form.missing("username"))?),
                password: form.require("password")?.into(),
                scope: scope(form, scopes)?,
            })),
            Grant::RefreshToken => Ok(Self::RefreshToken(RefreshRequest {
                token: form.require("refresh_token")?.into(),
                scope: scope(form, scopes)?,
            })),
        }
    }
}

fn scope(form: &mut OAuthForm, scopes: Scopes) -> Result<Option<ScopeSet>, OAuthError> {
    let asked = form.take("scope")?.map(|text| scopes.parse(&text)).transpose();
    let asked = asked.map_err(|error| OAuthError::InvalidScope(error.to_string()))?;
    Ok(asked.filter(|scope| !scope.is_empty()))
}
