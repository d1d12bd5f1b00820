//! Creates accounts for people who sign up.

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use super::mails::{ADDRESS, SIGN_UP};
use crate::accounts::model::{Email, FullName};
use crate::accounts::store::{self, NewUser, UserRow};
use crate::attempts::{Attempt, Attempts};
use crate::audit::{EventType, NewEvent, Origin, Source, insert_event};
use crate::config::{AccountSettings, SignUpMode};
use crate::db::{Conn, Db, StoreError, Timestamp};
use crate::http::error::ApiError;
use crate::http::language::language_of;
use crate::language::Language;
use crate::mail::{Kind, NewMail, Outbox};
use crate::network::network;
use crate::one_time_tokens::sign_up::{MAIL_SECONDS, NewSignUp, insert_sign_up, use_sign_up};
use crate::one_time_tokens::{OneTimeToken, find_invited, use_invitation};
use crate::passwords::{ChosenPassword, NewPassword, Passwords};

pub(super) const SIGN_UP_CLOSED: &str = "Sign-up is closed.";

/// Where accounts are created, and by which rules.
pub(super) struct Registry {
    origin: Origin,
    db: Data<Db>,
    passwords: Data<Passwords>,
    attempts: Data<Attempts>,
    settings: Data<AccountSettings>,
    outbox: Data<Outbox>,
    language: Language,
}

/// What became of a sign-up.
pub(super) enum SignedUp {
    Account(UserRow),
    /// It waits until the address is proven.
    Waiting,
}

/// An account that somebody wants. An invitation stands for its address.
pub(super) struct NewAccount {
    pub email: Option<Email>,
    pub password: NewPassword,
    pub full_name: Option<FullName>,
    pub invitation: Option<OneTimeToken>,
}

impl FromRequest for Registry {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            Ok(Self {
                origin: Origin::extract(&req).await?,
                db: Data::extract(&req).await?,
                passwords: Data::extract(&req).await?,
                attempts: Data::extract(&req).await?,
                settings: Data::extract(&req).await?,
                outbox: Data::extract(&req).await?,
                language: language_of(&req),
            })
        })
    }
}

impl Registry {
    pub(super) fn mode(&self) -> SignUpMode {
        self.settings.signup
    }

    /// Creates an account, if the caller may have it, or keeps the sign-up until its address is proven.
    pub(super) async fn create(&self, wanted: NewAccount) -> Result<SignedUp, ApiError> {
        let begun = self.attempts.begin(&Attempt::to_sign_up(self.origin.ip), Timestamp::now()).await?;
        let NewAccount { email, password, full_name, invitation } = wanted;
        let created = async {
            let email = self.admit(email, invitation.as_ref()).await?;
            let chosen = ChosenPassword::of(email.as_str(), full_name.as_ref().map(FullName::as_str), password);
            let chosen = chosen.map_err(|rejection| ApiError::refused("password", rejection))?;
            let hashed = self.passwords.hash(chosen, self.origin.ip).await;
            let password_hash = hashed.map_err(|fault| fault.in_field("password"))?;
            let now = Timestamp::now();
            if invitation.is_none() && self.settings.proves_addresses_first() {
                let full_name = full_name.map(FullName::into_string);
                return self.keep(&email, password_hash, full_name, now).await.map(|()| SignedUp::Waiting);
            }
            let user = NewUser {
                email_key: email.key(),
                email: email.as_str().to_owned(),
                password_hash,
                full_name: full_name.map(FullName::into_string),
                is_active: true,
                is_admin: false,
                email_verified: invitation.is_some(),
                created_at: now,
                updated_at: now,
            };
            self.insert(user, invitation, now).await.map(SignedUp::Account)
        };
        let created = created.await;
        match &created {
            Ok(_) => begun.signed_up(Timestamp::now()).await,
            // They reveal whether an account or an invitation exists, so they count against the limit.
            Err(ApiError::Conflict(_) | ApiError::BadOneTimeToken) => begun.failed(Timestamp::now()).await,
            Err(_) => {}
        }
        created
    }

    /// The address that the account will have.
    async fn admit(&self, email: Option<Email>, invitation: Option<&OneTimeToken>) -> Result<Email, ApiError> {
        match (self.mode(), email, invitation) {
            (SignUpMode::Closed, ..) => Err(ApiError::Forbidden(SIGN_UP_CLOSED)),
            (SignUpMode::Invited, _, None) => Err(ApiError::Forbidden("Sign-up needs an invitation.")),
            (SignUpMode::Open | SignUpMode::Invited, email, Some(token)) => {
                let (token, now) = (token.clone(), Timestamp::now());
                let invited = self.db.read(move |conn| find_invited(conn, &token, now)).await?;
                let invited = invited.and_then(|invited| Email::parse(&invited).ok());
                let is_for = |invited: &Email| email.is_none_or(|email| email.key() == invited.key());
                invited.filter(is_for).ok_or(ApiError::BadOneTimeToken)
            }
            (SignUpMode::Open, email, None) => email.ok_or(ApiError::BadOneTimeToken),
        }
    }

    /// Keeps a sign-up until its address is proven. If the answer is not to tell whether an account has the address, neither
    /// does the work: two mails are queued, and one of them is dropped when its turn comes.
    async fn keep(
        &self,
        email: &Email,
        password_hash: String,
        full_name: Option<String>,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let sign_up = NewSignUp {
            email: email.as_str().to_owned(),
            email_key: email.key(),
            password_hash,
            full_name,
            network: network(self.origin.ip).to_string(),
            created_at: now,
            expires_at: now.plus_seconds(self.settings.verification_ttl_seconds + MAIL_SECONDS),
        };
        let (outbox, language, is_neutral) = (self.outbox.clone(), self.language, self.settings.neutral_signup);
        let keep = move |conn: &mut Conn| {
            if !is_neutral && store::find_id_by_email_key(conn, &sign_up.email_key)?.is_some() {
                return Err(StoreError::Taken);
            }
            let id = insert_sign_up(conn, &sign_up)?;
            outbox.queue(conn, &NewMail::new(Kind::SignUp, language).with(SIGN_UP, id.to_string()), now)?;
            if is_neutral {
                let taken = NewMail::new(Kind::SignUpTaken, language).with(ADDRESS, &sign_up.email);
                outbox.queue(conn, &taken, now)?;
            }
            Ok(())
        };
        self.db.write(keep).await.map_err(taken)
    }

    /// Creates the account of a sign-up whose address is proven by a token.
    pub(super) async fn confirm(&self, token: OneTimeToken) -> Result<UserRow, ApiError> {
        if self.mode() == SignUpMode::Closed {
            return Err(ApiError::Forbidden(SIGN_UP_CLOSED));
        }
        let now = Timestamp::now();
        let begun = self.attempts.begin(&Attempt::on_one_time_token(self.origin.ip), now).await?;
        let event = NewEvent::new(EventType::SignedUp, &Source::request(self.origin.clone(), None), now);
        let create = move |conn: &mut Conn| {
            let Some(row) = use_sign_up(conn, &token, now)? else { return Ok(None) };
            let user = NewUser {
                email: row.email,
                email_key: row.email_key,
                password_hash: row.password_hash,
                full_name: row.full_name,
                is_active: true,
                is_admin: false,
                email_verified: true,
                created_at: now,
                updated_at: now,
            };
            let row = store::insert_user(conn, &user)?;
            insert_event(conn, &event.clone().by_owner(row.id))?;
            Ok(Some(row))
        };
        match self.db.write(create).await {
            Ok(Some(row)) => Ok(row),
            Ok(None) => {
                begun.failed(Timestamp::now()).await;
                Err(ApiError::BadOneTimeToken)
            }
            Err(error) => Err(taken(error)),
        }
    }

    async fn insert(
        &self,
        user: NewUser,
        invitation: Option<OneTimeToken>,
        now: Timestamp,
    ) -> Result<UserRow, ApiError> {
        let event = NewEvent::new(EventType::SignedUp, &Source::request(self.origin.clone(), None), now);
        let verification = NewMail::new(Kind::EmailVerification, self.language);
        let outbox = self.outbox.clone();
        let insert = move |conn: &mut Conn| {
            // It may have been used while the password was hashed.
            if let Some(token) = &invitation
                && use_invitation(conn, token, now)?.is_none()
            {
                return Ok(None);
            }
            let row = store::insert_user(conn, &user)?;
            let event = event.clone().by_owner(row.id);
            insert_event(conn, &if invitation.is_some() { event.with("invited", true) } else { event })?;
            if !row.email_verified {
                outbox.queue(conn, &verification.clone().of(row.id), now)?;
            }
            Ok(Some(row))
        };
        self.db.write(insert).await.map_err(taken)?.ok_or(ApiError::BadOneTimeToken)
    }
}

/// The error of a write that creates an account.
fn taken(error: StoreError) -> ApiError {
    match error {
        StoreError::Taken => ApiError::Conflict("An account with this e-mail address already exists."),
        other => other.into(),
    }
}
