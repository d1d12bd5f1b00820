//! `/login`, `/revoke` and `/introspect`.

use actix_web::http::header::{CACHE_CONTROL, PRAGMA};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, post};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::answer::TokenAnswer;
use super::credentials::ClientCredentials;
use super::error::{OAuthError, SUCCESS};
use super::form::OAuthForm;
use super::grant::{Grants, TokenRequest};
use crate::accounts::store as accounts;
use crate::attempts::Attempts;
use crate::audit::{Origin, Source};
use crate::clients::Grant;
use crate::db::{Db, Timestamp};
use crate::metrics::{self, Metrics};
use crate::sessions::Sessions;

// Only for the document; `OAuthForm` reads the requests.
/// The form of the token endpoint.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document")]
pub(crate) struct LoginForm {
    /// `password` (the default) or `refresh_token`.
    #[schema(example = "password", nullable = false)]
    grant_type: Option<String>,
    /// The e-mail address; empty for a refresh.
    #[schema(example = "ada@example.com", nullable = false)]
    username: String,
    /// The password, as typed; empty for a refresh.
    #[schema(format = Password, example = "correct horse battery staple")]
    password: String,
    /// The requested scopes, space-separated. Empty requests every scope that is allowed.
    #[schema(example = "", nullable = false)]
    scope: Option<String>,
    /// The client's id. Empty means the built-in public client `keyfob`.
    #[schema(example = "", nullable = false)]
    client_id: Option<String>,
    /// The client's secret; only for confidential clients.
    #[schema(format = Password, example = "", nullable = false)]
    client_secret: Option<String>,
    /// For `grant_type=refresh_token`: the newest refresh token.
    #[schema(format = Password, example = "", nullable = false)]
    refresh_token: Option<String>,
}

/// The form of `/revoke` and `/introspect`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document")]
pub(crate) struct TokenForm {
    /// An access token or a refresh token.
    #[schema(format = Password, min_length = 1, example = "kfr_AAAAAAAAAAEAAAAAAAAAAQ")]
    token: String,
    /// `access_token` or `refresh_token`; only a hint, which may be wrong.
    #[schema(example = "", nullable = false)]
    token_type_hint: Option<String>,
    /// The client's id. Empty means the built-in public client `keyfob`.
    #[schema(example = "", nullable = false)]
    client_id: Option<String>,
    /// The client's secret; only for confidential clients.
    #[schema(format = Password, example = "", nullable = false)]
    client_secret: Option<String>,
}

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(log_in).service(log_out).service(introspect_token);
}

/// Log in or refresh
///
/// The OAuth2 token endpoint (RFC 6749 §4.3, §6). For first-party apps only: a third-party app must never ask for these
/// passwords (RFC 9700 §2.4). With `accounts.require_verified_email`, the right password of an account whose address is not
/// verified gets `invalid_grant` with `"reason": "email_unverified"`, and a mail with a link.
#[utoipa::path(
    tag = "oauth",
    request_body(content = LoginForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The tokens.", body = TokenAnswer))
)]
#[post("/login")]
pub(crate) async fn log_in(
    req: HttpRequest,
    mut form: OAuthForm,
    grants: Grants,
    origin: Origin,
) -> Result<HttpResponse, OAuthError> {
    let counted = req.app_data::<Data<Metrics>>().map(|metrics| (metrics, grant_of(&form)));
    let credentials = ClientCredentials::read(&req, &mut form);
    let asked =
        credentials.and_then(|credentials| Ok((TokenRequest::read(&mut form, grants.sessions.scopes)?, credentials)));
    let answer = match asked {
        Ok((TokenRequest::Password(asked), credentials)) => grants.log_in(asked, credentials, origin).await,
        Ok((TokenRequest::RefreshToken(asked), credentials)) => grants.refresh(asked, credentials, origin).await,
        Err(error) => Err(error),
    };
    if let Some((metrics, grant)) = counted {
        metrics.count_login(grant, answer.as_ref().err().map_or(SUCCESS, OAuthError::outcome));
    }
    Ok(secret_json(&answer?))
}

/// The grant that a form requests, as a metrics label.
fn grant_of(form: &OAuthForm) -> &'static str {
    let grant = form.peek("grant_type").map_or(Some(Grant::Password), Grant::parse);
    grant.map_or(metrics::OTHER, Grant::as_str)
}

/// Log out
///
/// Ends the session of a token (RFC 7009). Its refresh token stops working at once, its access tokens within a second
/// (two on PostgreSQL). The status is 200 for an unknown token too.
#[utoipa::path(
    tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token is revoked.", body = Object, example = json!({})))
)]
#[post("/revoke")]
pub(crate) async fn log_out(
    req: HttpRequest,
    mut form: OAuthForm,
    db: Data<Db>,
    sessions: Data<Sessions>,
    attempts: Data<Attempts>,
    origin: Origin,
) -> Result<HttpResponse, OAuthError> {
    let credentials = ClientCredentials::read(&req, &mut form)?;
    let client = credentials.authenticate(&db, sessions.settings(), &attempts, origin.ip).await?;
    let token = form.require("token")?;
    let now = Timestamp::now();
    let session = match sessions.check_access(&token, now) {
        Ok(claims) => Some((claims.client_id.clone(), claims.user_id, claims.session_id)),
        Err(_) => {
            let found = sessions.find_of_refresh_token(&token).await?;
            found.map(|session| (session.client_id, session.user_id, session.id))
        }
    };
    // Leave another client's token alone, and do not confirm that it exists (RFC 7009 §2.1, §2.2).
    if let Some((client_id, user_id, session_id)) = session
        && client_id == client.id
    {
        let source = Source::request(origin, Some(&client.id));
        sessions.end(user_id, session_id, &source, now).await?;
    }
    Ok(secret_json(&json!({})))
}

/// Introspect a token
///
/// For confidential clients (RFC 7662). An invalid token is answered with `{"active": false}` and nothing else.
#[utoipa::path(
    tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The properties of the token, or `{\"active\": false}`.", body = Object, example = json!({
        "active": true, "scope": "profile posts", "client_id": "keyfob", "username": "ada@example.com",
        "token_type": "bearer", "exp": 1_795_295_580, "iat": 1_795_294_680, "sub": "1", "aud": "keyfob",
        "iss": "http://127.0.0.1:8000", "jti": "V1StGXR8Z5jdHi6BmyTAaQ", "sid": "1",
    })))
)]
#[post("/introspect")]
pub(crate) async fn introspect_token(
    req: HttpRequest,
    mut form: OAuthForm,
    db: Data<Db>,
    sessions: Data<Sessions>,
    attempts: Data<Attempts>,
    origin: Origin,
) -> Result<HttpResponse, OAuthError> {
    let credentials = ClientCredentials::read(&req, &mut form)?;
    let client = credentials.authenticate(&db, sessions.settings(), &attempts, origin.ip).await?;
    if client.is_public {
        return Err(OAuthError::InvalidClient);
    }
    let token = form.require("token")?;
    let now = Timestamp::now();
    let answer = match sessions.check_access(&token, now) {
        Ok(claims) => {
            let id = claims.user_id;
            let user = db.read(move |conn| accounts::find_user(conn, id)).await?.filter(|user| user.is_active);
            user.map(|user| {
                json!({
                    "active": true, "scope": claims.scope, "client_id": claims.client_id, "username": user.email,
                    "token_type": "bearer", "exp": claims.expires_at, "iat": claims.issued_at,
                    "sub": id.to_string(), "aud": claims.aud, "iss": claims.iss, "jti": claims.token_id,
                    "sid": claims.session_id.to_string(),
                })
            })
        }
        Err(_) => sessions.find_live(&token, now).await?.map(|session| {
            json!({
                "active": true, "scope": session.scope, "client_id": session.client_id,
                "token_type": "refresh_token", "exp": session.ends_at().seconds(),
                "iat": session.refreshed_at.seconds(), "sub": session.user_id.to_string(),
                "iss": sessions.settings().issuer, "sid": session.id.to_string(),
            })
        }),
    };
    Ok(secret_json(&answer.unwrap_or_else(|| json!({ "active": false }))))
}

/// A response that no cache may store (RFC 6749 §5.1).
fn secret_json(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache")).json(body)
}
