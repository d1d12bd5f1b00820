//! The OpenAPI 3.1 document: its head, the security scheme, and the errors that many operations share.
//!
//! Handlers declare only their own responses. Rules add the shared errors, depending on what an operation accepts.

mod errors;
mod examples;
mod texts;
mod values;

use std::collections::BTreeSet;

use actix_web::http::header::AUTHORIZATION;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::security::{self, Flow, OAuth2, Password, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{RefOr, Server, Type};
use utoipa::{Modify, OpenApi, ToSchema};

use self::errors::{add_header, add_shared_errors};
use self::examples::add_examples;
pub(crate) use self::examples::example_of;
use self::values::Values;
use crate::http::caching::is_private;
use crate::http::problem::Problem;
use crate::tokens::scope::Scopes;

/// The name of the security scheme, the same as FastAPI's.
pub(crate) const SCHEME: &str = "OAuth2PasswordBearer";

/// An error of an OAuth endpoint (RFC 6749 §5.2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct OAuthProblem {
    /// An error code for programs.
    #[schema(example = "invalid_grant")]
    error: String,
    /// A message for people.
    #[schema(example = "Incorrect username or password")]
    error_description: String,
    /// The same message, for front ends written for FastAPI.
    #[schema(example = "Incorrect username or password")]
    detail: String,
}

/// The document without its paths, which the routes add.
#[derive(OpenApi)]
#[openapi(
    info(title = "Keyfob", description = FIRST_STEPS, contact(name = "The operator of this service"), license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    servers((url = "/", description = "This service")),
    components(schemas(Problem, OAuthProblem)),
    tags(
        (name = "accounts", description = "Sign up, and manage your account and its sessions."),
        (name = "oauth", description = "Log in, refresh and log out: the OAuth2 endpoints. For first-party apps only (RFC 9700 §2.4)."),
        (name = "posts", description = "A sample resource: anyone can read posts, and authors can change theirs."),
        (name = "administration", description = "For admins only: these routes need the scope `admin`."),
        (name = "operations", description = "Health checks and documentation, for the operator of the service."),
    ),
)]
struct Head;

const FIRST_STEPS: &str = "\
**First steps** on [the interactive page](docs): open *Sign up* and press *Execute*. Then press **Authorize**, enter the \
e-mail address and the password (nothing else), and try *Get the current user* or *Create a post*.\n\n\
To read and search: [Redoc](redoc). For Postman, Bruno and Insomnia: import [postman.json](postman.json) by its URL.\n\n\
Errors are RFC 9457 problems; the OAuth endpoints return RFC 6749 errors. Times are UTC.";

/// The head, to which paths are added before [`finish`].
pub(crate) fn head() -> utoipa::openapi::OpenApi {
    Head::openapi()
}

/// Adds what follows from the paths.
pub(crate) fn finish(document: &mut utoipa::openapi::OpenApi, scopes: Scopes) {
    Finish(scopes).modify(document);
}

/// Puts the server and the token endpoint under `server.root_path`.
pub(crate) fn put_under(document: &mut utoipa::openapi::OpenApi, root_path: &str, scopes: Scopes) {
    if root_path.is_empty() {
        return;
    }
    document.servers = Some(vec![Server::new(root_path)]);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(SCHEME, scheme(root_path, scopes));
}

/// `tokenUrl` is absolute, so it does not depend on the chosen server.
fn scheme(root_path: &str, scopes: Scopes) -> SecurityScheme {
    let described = scopes.0.iter().map(|scope| (scope.name, scope.description));
    let password = Password::new(format!("{root_path}/login"), security::Scopes::from_iter(described));
    SecurityScheme::OAuth2(OAuth2::new([Flow::Password(password)]))
}

struct Finish(Scopes);

impl Modify for Finish {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(SCHEME, scheme("", self.0));
        let values = Values::write_in_place(components);
        let schemas = serde_json::to_value(&components.schemas).unwrap_or_default();
        let mut bodies = BTreeSet::new();
        for (path, item) in &mut document.paths.paths {
            let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                require_token(operation);
                values.write_in_parameters(operation);
                add_shared_errors(operation, &schemas);
                add_examples(operation, &schemas);
                if is_private(path) {
                    add_no_store(operation);
                }
                texts::restrict_parameters(operation);
                bodies.extend(texts::json_body(operation));
                // Always set `security`, even when empty: some tools report a missing one.
                operation.security.get_or_insert_default();
            }
        }
        texts::restrict_bodies(&bodies, components);
    }
}

/// Turns the parameter of [`CurrentUser`](crate::guard::CurrentUser), which names a scope, into `security`.
fn require_token(operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    let is_token = |parameter: &mut RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.name == AUTHORIZATION.as_str());
    let tokens: Vec<_> = parameters.extract_if(.., is_token).collect();
    for token in tokens {
        let RefOr::T(Parameter { description: scope, .. }) = token else { continue };
        operation.security.get_or_insert_default().push(SecurityRequirement::new(SCHEME, scope));
    }
    operation.parameters.take_if(|parameters| parameters.is_empty());
}

/// Documents `Cache-Control: no-store` on every response.
fn add_no_store(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            add_header(response, "Cache-Control", Type::String, "`no-store`");
        }
    }
}
