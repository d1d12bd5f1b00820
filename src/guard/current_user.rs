//! The extractors: the caller, as the token describes them.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{Error, FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};

use super::authenticate::{Accepted, authenticate};
use super::error::AuthError;
use crate::audit::{Origin, Source};
use crate::db::Id;
use crate::http::body::refuse_announced_size;
use crate::sessions::Sessions;
use crate::sessions::end::Caller;
use crate::tokens::{AccessToken, RequiredScope, scopes};

/// The caller, whose token is valid and has the scope `S`. A handler that takes it refuses all other requests.
///
/// ```
/// use actix_web::{HttpResponse, get};
/// use keyfob::{CurrentUser, scopes};
///
/// #[get("/greeting")]
/// async fn greet(user: CurrentUser) -> HttpResponse {
///     HttpResponse::Ok().body(format!("Hello, account {}", user.id()))
/// }
///
/// #[get("/drafts")]
/// async fn list_drafts(user: CurrentUser<scopes::Posts>) -> HttpResponse {
///     HttpResponse::Ok().body(format!("The drafts of account {}", user.id()))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CurrentUser<S = scopes::Any> {
    token: Accepted,
    scope: PhantomData<S>,
}

impl<S> CurrentUser<S> {
    /// The account's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.token.user_id
    }

    /// The session that the token belongs to.
    #[must_use]
    pub fn session_id(&self) -> Id {
        self.token.session_id
    }

    /// The account and session that a request writes as.
    pub(crate) fn caller(&self) -> Caller {
        Caller { user_id: self.id(), session_id: self.session_id() }
    }

    /// The account, session and client, for the events of what the request does.
    pub(crate) fn source(&self, origin: Origin) -> Source {
        Source {
            actor_id: Some(self.id()),
            session_id: Some(self.session_id()),
            client_id: Some(self.token.client_id.clone()),
            origin: Some(origin),
            program: None,
        }
    }

    /// Checks again whether the session has ended, for a request that has waited since its token was checked: a body
    /// may arrive slowly.
    pub(crate) fn check_again(&self, sessions: &Sessions) -> Result<(), AuthError> {
        if sessions.has_ended(self.session_id()) { Err(AuthError::Invalid) } else { Ok(()) }
    }

    /// Whether the token has the scope `admin`.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.token.scope.contains("admin")
    }

    /// All claims of the token.
    #[must_use]
    pub fn token(&self) -> &AccessToken {
        &self.token
    }
}

impl<S: RequiredScope> FromRequest for CurrentUser<S> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            // Refuse a body that is too large before looking at credentials.
            refuse_announced_size(&req)?;
            let token = authenticate(&req).await?;
            match S::NAME {
                Some(scope) if !token.scope.contains(scope) => Err(AuthError::InsufficientScope(scope).into()),
                _ => Ok(Self { token, scope: PhantomData }),
            }
        })
    }
}

/// Documents the scope, as the description of the header. `docs` turns this parameter into the operation's `security`.
impl<S: RequiredScope> IntoParams for CurrentUser<S> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let token = ParameterBuilder::new().name(AUTHORIZATION.as_str()).parameter_in(ParameterIn::Header);
        vec![token.description(S::NAME).build()]
    }
}

/// The caller, or `None` if the request has no `Authorization` header. A bad token is still refused with 401.
#[derive(Clone, Debug)]
pub struct MaybeUser(pub Option<CurrentUser>);

impl FromRequest for MaybeUser {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let req = req.clone();
        Box::pin(async move {
            match authenticate(&req).await {
                Ok(token) => Ok(Self(Some(CurrentUser { token, scope: PhantomData }))),
                Err(AuthError::Missing) if !req.headers().contains_key(AUTHORIZATION) => Ok(Self(None)),
                Err(error) => Err(error.into()),
            }
        })
    }
}
