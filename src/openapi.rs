//! The OpenAPI 3.1 document: its head, the security scheme, and the errors that many operations share.
//!
//! Handlers name only what is theirs; which errors an operation shares follows from what it takes, by rule.

use serde_json::{Value, json};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{Flow, OAuth2, Password, Scopes, SecurityScheme};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type};
use utoipa::{Modify, OpenApi, ToSchema};

use crate::http::problem::{CONTENT_TYPE, Problem};
use crate::tokens::scope::KNOWN_SCOPES;

/// The name of the security scheme, as FastAPI's users know it.
pub(crate) const SCHEME: &str = "OAuth2PasswordBearer";

/// An error of an OAuth endpoint (RFC 6749 §5.2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document")]
pub(crate) struct OAuthProblem {
    /// A code for programs.
    #[schema(example = "invalid_grant")]
    error: String,
    /// A sentence for people.
    #[schema(example = "Incorrect username or password")]
    error_description: String,
    /// The same sentence again, for front ends that know FastAPI.
    #[schema(example = "Incorrect username or password")]
    detail: String,
}

/// The document without its paths, which the routes add.
#[derive(OpenApi)]
#[openapi(
    info(title = "Keyfob", description = FIRST_STEPS, license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    components(schemas(Problem, OAuthProblem)),
    tags(
        (name = "accounts", description = "Sign up, and look after one's own account."),
        (name = "oauth", description = "Log in, renew, log out: the OAuth2 endpoints. Apps other than your own must not use the password grant (RFC 9700)."),
        (name = "posts", description = "A resource that anyone may read and its authors may change."),
        (name = "operations", description = "For those who run the service."),
    ),
)]
struct Head;

const FIRST_STEPS: &str = "\
**First steps**: open *Sign up* below, press *Execute*. Then press **Authorize**, type the e-mail address and the \
password (nothing else), and try *Read one's own account* or *Write a post*.\n\n\
Errors are RFC 9457 problems; those of the OAuth endpoints are RFC 6749 errors. Times are UTC.";

/// The head, to which paths are added before [`finish`].
pub(crate) fn head() -> utoipa::openapi::OpenApi {
    Head::openapi()
}

/// Adds what follows from the paths.
pub(crate) fn finish(document: &mut utoipa::openapi::OpenApi) {
    Finish.modify(document);
}

struct Finish;

impl Modify for Finish {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scopes = Scopes::from_iter(KNOWN_SCOPES);
        let password = Flow::Password(Password::new("/login", scopes));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(SCHEME, SecurityScheme::OAuth2(OAuth2::new([password])));
        for item in document.paths.paths.values_mut() {
            let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            operations.into_iter().flatten().for_each(add_shared_errors);
        }
    }
}

fn add_shared_errors(operation: &mut Operation) {
    let is_oauth = operation.tags.iter().flatten().any(|tag| tag == "oauth");
    let is_operations = operation.tags.iter().flatten().any(|tag| tag == "operations");
    match (is_oauth, operation.request_body.is_some()) {
        (true, true) => add_oauth_errors(operation),
        (false, _) if !is_operations => add_problems(operation),
        _ => {}
    }
}

fn add_problems(operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    let is_secured = operation.security.is_some();
    let is_input = |parameter: &RefOr<Parameter>| match parameter {
        RefOr::T(parameter) => matches!(parameter.parameter_in, ParameterIn::Path | ParameterIn::Query),
        RefOr::Ref(_) => true,
    };
    let has_input = operation.parameters.iter().flatten().any(is_input);
    if has_body {
        add(
            operation,
            400,
            problem(400, "Bad Request", "The body is not valid JSON: it ends too early at line 1 column 9."),
        );
        add(
            operation,
            413,
            problem(413, "Payload Too Large", "The body is too large: at most 262144 bytes are taken."),
        );
        add(operation, 415, problem(415, "Unsupported Media Type", "The Content-Type should be application/json."));
    }
    if has_body || has_input {
        add(operation, 422, invalid_fields(has_body));
    }
    if is_secured {
        let missing = "Not authenticated: send an access token in the header Authorization: Bearer.";
        add(operation, 401, challenged(problem(401, "Unauthorized", missing)));
        let scope = "This needs an access token with the scope posts.";
        add(operation, 403, challenged(problem(403, "Forbidden", scope)));
    }
    let asks_password = ["sign_up", "change_password", "delete_me"];
    if operation.operation_id.as_deref().is_some_and(|id| asks_password.contains(&id)) {
        let text = "Too many attempts. Try again in 300 seconds.";
        add(operation, 429, retried(problem(429, "Too Many Requests", text)));
    }
    let text = "The service is temporarily unavailable. Try again in a moment.";
    add(operation, 503, retried(problem(503, "Service Unavailable", text)));
}

fn add_oauth_errors(operation: &mut Operation) {
    let is_log_in = operation.operation_id.as_deref() == Some("log_in");
    let refused = if is_log_in {
        oauth("invalid_grant", "Incorrect username or password")
    } else {
        oauth("invalid_request", "The parameter token is missing")
    };
    let description = "The request is not as it should be, or was refused (`error` says why).";
    add(operation, 400, oauth_response(description, refused));
    let client = oauth("invalid_client", "Client authentication failed");
    add(operation, 401, challenged(oauth_response("The client is unknown or did not prove who it is.", client)));
    let large = oauth("invalid_request", "The body is too large: at most 262144 bytes are taken");
    add(operation, 413, oauth_response("The body is too large.", large));
    if is_log_in {
        let text = "Too many attempts. Try again in 300 seconds";
        add(operation, 429, retried(oauth_response("Too many attempts.", oauth("slow_down", text))));
    }
    let away = oauth("temporarily_unavailable", "The service is busy. Try again in a moment");
    add(operation, 503, retried(oauth_response("The service is busy, or its database away.", away)));
}

/// A handler's own description of a status stays.
fn add(operation: &mut Operation, status: u16, response: Response) {
    operation.responses.responses.entry(status.to_string()).or_insert(RefOr::T(response));
}

fn problem(status: u16, title: &str, detail: &str) -> Response {
    let example = json!({ "type": "about:blank", "title": title, "status": status, "detail": detail });
    response(title, CONTENT_TYPE, "Problem", example)
}

fn invalid_fields(in_body: bool) -> Response {
    let (loc, msg, kind) = if in_body {
        (json!(["body", "email"]), "Field required", "missing")
    } else {
        (json!(["path", "id"]), "Input should be a positive integer below 2^53", "int_parsing")
    };
    let place = if in_body { "body.email" } else { "path.id" };
    let example = json!({
        "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
        "detail": format!("{place}: {msg}"), "errors": [{ "loc": loc, "msg": msg, "type": kind }],
    });
    response("Fields are not as they should be; every fault is listed.", CONTENT_TYPE, "Problem", example)
}

fn oauth(error: &str, text: &str) -> Value {
    json!({ "error": error, "error_description": text, "detail": text })
}

fn oauth_response(description: &str, example: Value) -> Response {
    response(description, "application/json", "OAuthProblem", example)
}

fn response(description: &str, content_type: &str, schema: &str, example: Value) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).example(Some(example)).build();
    ResponseBuilder::new().description(description).content(content_type, content).build()
}

fn challenged(response: Response) -> Response {
    with_header(response, "WWW-Authenticate", Type::String, "The challenge (RFC 6750 §3, RFC 7617).")
}

fn retried(response: Response) -> Response {
    with_header(response, "Retry-After", Type::Integer, "Seconds until it may be tried again.")
}

fn with_header(mut response: Response, name: &str, kind: Type, description: &str) -> Response {
    let schema = ObjectBuilder::new().schema_type(kind).build();
    let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
    response.headers.insert(name.into(), header.into());
    response
}
