//! The token endpoint's grants: password (RFC 6749 §4.3) and refresh token (§6).

use secrecy::{ExposeSecret, SecretString};

use super::answer::TokenAnswer;
use super::client::{Client, ClientCredentials, Grant};
use super::error::OAuthError;
use super::form::OAuthForm;
use super::scope::ScopeSet;
use super::sessions::{Origin, Sessions};
use crate::accounts::attempts::{Attempt, Attempts};
use crate::accounts::password::{Passwords, Verified};
use crate::accounts::{Email, store};
use crate::db::{Db, Timestamp};

/// What the grants work with.
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
        let request = TokenRequest::read(&mut form)?;
        if let TokenRequest::Password { username, password, .. } = &request {
            // Before any look-up, of the client too.
            let attempt = Attempt::on_account(&account_key(username), password.expose_secret(), origin.ip);
            self.attempts.admit(&attempt, Timestamp::now())?;
        }
        let client = credentials.authenticate(self.db, self.sessions.settings()).await?;
        let is_open = request.grant() != Grant::Password || self.sessions.settings().password_grant;
        if !is_open || !client.allows(request.grant()) {
            return Err(OAuthError::UnauthorizedClient);
        }
        match request {
            TokenRequest::Password { username, password, scope } => {
                self.password(&username, password, scope, &client, origin).await
            }
            TokenRequest::RefreshToken { token, scope } => {
                self.sessions.refresh(token.expose_secret(), scope, &client).await
            }
        }
    }

    /// Unknown, wrong and disabled: the same look-up, the same work, the same answer.
    async fn password(
        &self,
        username: &str,
        password: SecretString,
        asked: Option<ScopeSet>,
        client: &Client,
        origin: Origin,
    ) -> Result<TokenAnswer, OAuthError> {
        let key = account_key(username);
        let attempt = Attempt::on_account(&key, password.expose_secret(), origin.ip);
        let user = self.db.read(move |conn| store::find_user_by_email_key(conn, &key)).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let verified = self.passwords.verify(password, hash).await?;
        let (Some(user), Verified::Right { renewed_hash }) = (user.filter(|user| user.is_active), verified) else {
            self.attempts.failed(&attempt, Timestamp::now());
            return Err(OAuthError::WrongCredentials);
        };
        self.attempts.succeeded(&attempt);
        let may_have = ScopeSet::of_user(user.is_admin).intersection(&client.scopes);
        let scope = asked.map_or(may_have.clone(), |asked| asked.intersection(&may_have));
        if scope.is_empty() {
            let none_left = "None of the requested scopes is allowed to this user and client".to_owned();
            return Err(OAuthError::InvalidScope(none_left));
        }
        self.sessions.open(user, renewed_hash, scope, client, origin).await
    }
}

/// A token request whose parameters are all there.
enum TokenRequest {
    Password { username: String, password: SecretString, scope: Option<ScopeSet> },
    RefreshToken { token: SecretString, scope: Option<ScopeSet> },
}

impl TokenRequest {
    fn read(form: &mut OAuthForm) -> Result<Self, OAuthError> {
        let grant_type = form.take("grant_type")?;
        let username = form.take("username")?.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        let grant = match (grant_type.as_deref(), &username) {
            // As FastAPI's form does.
            (None, Some(_)) => Grant::Password,
            (None, None) => return Err(OAuthError::missing("grant_type")),
            (Some(text), _) => Grant::parse(text).ok_or(OAuthError::UnsupportedGrantType)?,
        };
        match grant {
            Grant::Password => Ok(Self::Password {
                username: username.ok_or_else(|| OAuthError::missing("username"))?,
                password: form.require("password")?.into(),
                scope: scope(form)?,
            }),
            Grant::RefreshToken => {
                Ok(Self::RefreshToken { token: form.require("refresh_token")?.into(), scope: scope(form)? })
            }
        }
    }

    fn grant(&self) -> Grant {
        match self {
            Self::Password { .. } => Grant::Password,
            Self::RefreshToken { .. } => Grant::RefreshToken,
        }
    }
}

fn scope(form: &mut OAuthForm) -> Result<Option<ScopeSet>, OAuthError> {
    let asked = form.take("scope")?.map(|text| ScopeSet::parse(&text)).transpose();
    let asked = asked.map_err(|error| OAuthError::InvalidScope(error.to_string()))?;
    Ok(asked.filter(|scope| !scope.is_empty()))
}

/// What an account is looked up by; also for a username that can be none, which is looked up all the same.
fn account_key(username: &str) -> String {
    Email::key_of(username)
}
