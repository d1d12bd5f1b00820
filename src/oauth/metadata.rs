//! What clients and other services can discover: RFC 8414 metadata and the public keys (RFC 7517).

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde_json::{Value, json};

use utoipa_actix_web::service_config::ServiceConfig;

use crate::clients::Grant;
use crate::config::TokenSettings;
use crate::db::Timestamp;
use crate::sessions::Sessions;
use crate::tokens::scope::Scopes;

/// The longest time that the keys may be cached, in seconds.
const MAX_AGE_SECONDS: u64 = 300;

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(read_server_metadata).service(read_jwks);
}

/// Authorization server metadata
///
/// The endpoints and what they support (RFC 8414). Every URL begins with `token.issuer`.
#[utoipa::path(
    tag = "oauth",
    responses((status = 200, description = "The metadata (RFC 8414 §2).", body = Object, example = json!({
        "issuer": "http://127.0.0.1:8000", "token_endpoint": "http://127.0.0.1:8000/login",
        "jwks_uri": "http://127.0.0.1:8000/.well-known/jwks.json",
        "response_types_supported": ["none"], "grant_types_supported": ["password", "refresh_token"],
    })))
)]
#[get("/.well-known/oauth-authorization-server")]
pub(crate) async fn read_server_metadata(sessions: Data<Sessions>) -> HttpResponse {
    let max_age = format!("public, max-age={MAX_AGE_SECONDS}");
    HttpResponse::Ok().insert_header((CACHE_CONTROL, max_age)).json(document(sessions.settings(), sessions.scopes))
}

/// Public keys
///
/// The keys that verify access tokens, as a JWK set (RFC 7517 §5): empty with HS256, several during a rotation.
#[utoipa::path(
    tag = "oauth",
    responses((status = 200, description = "The keys.", body = Object, content_type = "application/jwk-set+json", example = json!({
        "keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "use": "sig", "alg": "EdDSA",
        }],
    })))
)]
#[get("/.well-known/jwks.json")]
pub(crate) async fn read_jwks(sessions: Data<Sessions>) -> HttpResponse {
    let keys = sessions.keyring.jwks(Timestamp::now());
    // Shorter than the overlap of two keys, so that no cached set lacks a key whose tokens are in use.
    let max_age = MAX_AGE_SECONDS.min(sessions.settings().access_ttl_seconds);
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, format!("public, max-age={max_age}")))
        .insert_header((CONTENT_TYPE, "application/jwk-set+json"))
        .body(keys.to_string())
}

fn document(settings: &TokenSettings, scopes: Scopes) -> Value {
    let issuer = &settings.issuer;
    let methods = json!(["none", "client_secret_basic", "client_secret_post"]);
    let confidential = json!(["client_secret_basic", "client_secret_post"]);
    let is_open = |grant: &Grant| *grant != Grant::Password || settings.password_grant;
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/login"),
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint": format!("{issuer}/revoke"),
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint": format!("{issuer}/introspect"),
        "introspection_endpoint_auth_methods_supported": confidential,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "grant_types_supported": Grant::ALL.iter().filter(|grant| is_open(grant)).map(|grant| grant.as_str()).collect::<Vec<_>>(),
        "scopes_supported": scopes.names().collect::<Vec<_>>(),
        // RFC 8414 §2 requires this member and forbids an empty one; there is no authorization endpoint.
        "response_types_supported": ["none"],
        "service_documentation": format!("{issuer}/docs"),
    })
}
