//! The token endpoint's grants: password (RFC 6749 §4.3) and refresh token (§6).

use std::net::IpAddr;

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
use crate::db::{Db, Timestamp};
use crate::http::failure::Failure;
use crate::passwords::{MAX_COMPARISONS, Passwords, Verified};
use crate::sessions::Sessions;
use crate::sessions::begin::LogIn;
use crate::sessions::refusals::{Reason, Refusal};
use crate::tokens::scope::ScopeSet;

/// The services that the grants use.
pub(crate) struct Grants<'a> {
    pub db: &'a Db,
    pub sessions: &'a Sessions,
    pub passwords: &'a Passwords,
    pub attempts: &'a Attempts,
}

impl Grants<'_> {
    /// Answers a token request, whatever its grant.
    pub(crate) async fn answer(
        &self,
        credentials: ClientCredentials,
        mut form: OAuthForm,
        origin: Origin,
    ) -> Result<TokenAnswer, OAuthError> {
        match TokenRequest::read(&mut form)? {
            TokenRequest::Password { username, password, scope } => {
                // Before any lookup, even of the client.
                let key = Email::key_of(&username);
                let attempt = Attempt::on_account(&key, password.expose_secret(), origin.ip);
                let begun = self.attempts.begin(&attempt, Timestamp::now()).await.inspect_err(|_| {
                    self.sessions.note_refusal(Refusal::too_many(&key, origin.clone()), Timestamp::now());
                })?;
                let client = self.authenticate(credentials, Grant::Password, origin.ip).await?;
                let answer = self.log_in((key, password), scope, &client, origin).await;
                match &answer {
                    // The password was right.
                    Ok(_) | Err(OAuthError::InvalidScope(_)) => begun.succeeded(Timestamp::now()).await,
                    Err(OAuthError::WrongCredentials) => begun.failed(Timestamp::now()).await,
                    Err(_) => drop(begun),
                }
                answer
            }
            TokenRequest::RefreshToken { token, scope } => {
                let client = self.authenticate(credentials, Grant::RefreshToken, origin.ip).await?;
                let (token, now) = (token.expose_secret(), Timestamp::now());
                Ok(self.sessions.refresh(token, scope, &client, origin, now).await?.into())
            }
        }
    }

    /// The client, if it may use the grant.
    async fn authenticate(
        &self,
        credentials: ClientCredentials,
        grant: Grant,
        address: IpAddr,
    ) -> Result<Client, OAuthError> {
        let settings = self.sessions.settings();
        let client = credentials.authenticate(self.db, settings, self.attempts, address).await?;
        let is_open = grant != Grant::Password || settings.password_grant;
        if is_open && client.allows(grant) { Ok(client) } else { Err(OAuthError::UnauthorizedClient) }
    }

    /// Compares the password and begins a session. If the hash was replaced meanwhile, compares again: the password is
    /// still right if another login renewed the hash, but not if the owner changed the password.
    async fn log_in(
        &self,
        (key, password): (String, SecretString),
        asked: Option<ScopeSet>,
        client: &Client,
        origin: Origin,
    ) -> Result<TokenAnswer, OAuthError> {
        for _ in 0..MAX_COMPARISONS {
            let (user, renewed_hash) = self.check_password((key.clone(), password.clone()), client, &origin).await?;
            let log_in = LogIn { user, renewed_hash, asked: asked.clone(), origin: origin.clone() };
            if let Some(issued) = self.sessions.open(log_in, client, Timestamp::now()).await? {
                return Ok(issued.into());
            }
        }
        Err(Failure::Unavailable("the password hash kept changing".into()).into())
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
        let user_id = found.as_ref().map(|user| user.id);
        let reason = match &found {
            None => Reason::UnknownAccount,
            Some(user) if user.is_active => Reason::WrongPassword,
            Some(_) => Reason::Disabled,
        };
        // A right password takes less work than a wrong one, and would reveal a disabled account.
        let user = found.filter(|user| user.is_active);
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        match (user, self.passwords.verify(password, hash, origin.ip).await?) {
            (Some(user), Verified::Right { renewed_hash }) => Ok((user, renewed_hash)),
            _ => {
                let refusal = Refusal::at_account(user_id, reason, &client.id, origin.clone());
                self.sessions.note_refusal(refusal, Timestamp::now());
                Err(OAuthError::WrongCredentials)
            }
        }
    }
}

/// A token request with all its parameters.
enum TokenRequest {
    Password { username: String, password: SecretString, scope: Option<ScopeSet> },
    RefreshToken { token: SecretString, scope: Option<ScopeSet> },
}

impl TokenRequest {
    fn read(form: &mut OAuthForm) -> Result<Self, OAuthError> {
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
            Grant::Password => Ok(Self::Password {
                username: username.ok_or_else(|| form.missing("username"))?,
                password: form.require("password")?.into(),
                scope: scope(form)?,
            }),
            Grant::RefreshToken => {
                Ok(Self::RefreshToken { token: form.require("refresh_token")?.into(), scope: scope(form)? })
            }
        }
    }
}

fn scope(form: &mut OAuthForm) -> Result<Option<ScopeSet>, OAuthError> {
    let asked = form.take("scope")?.map(|text| ScopeSet::parse(&text)).transpose();
    let asked = asked.map_err(|error| OAuthError::InvalidScope(error.to_string()))?;
    Ok(asked.filter(|scope| !scope.is_empty()))
}
