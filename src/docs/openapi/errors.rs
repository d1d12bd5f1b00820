//! The errors that many operations share, added by rules that depend on what an operation accepts.

use actix_web::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type};

use super::SCHEME;
use super::examples::{problem_example, resolve};
use crate::fields::{Fault, Rejection};
use crate::http::body::BodyLimit;
use crate::http::error::ApiError;
use crate::http::failure::Failure;
use crate::http::problem::{CONTENT_TYPE, Problem};
use crate::http::server::limits::MAX_HEAD_BYTES;

const BODY_TOO_SLOW: Failure = Failure::BodyTooSlow { max_seconds: BodyLimit::DEFAULT.max_seconds };
const BODY_TOO_LARGE: Failure = Failure::BodyTooLarge { max_bytes: BodyLimit::DEFAULT.max_bytes };
const HEAD_TOO_LARGE: Failure = Failure::HeadTooLarge { max_bytes: MAX_HEAD_BYTES };
const TOO_MANY_ATTEMPTS: Failure = Failure::TooManyAttempts { retry_after_seconds: 300 };

pub(super) fn add_shared_errors(operation: &mut Operation, schemas: &Value) {
    let is_oauth = operation.tags.iter().flatten().any(|tag| tag == "oauth");
    let is_operations = operation.tags.iter().flatten().any(|tag| tag == "operations");
    match (is_oauth, operation.request_body.is_some()) {
        (true, true) => add_oauth_errors(operation),
        (false, _) if !is_operations => add_problems(operation, schemas),
        _ => {}
    }
    complete_problems(operation);
    add(operation, 431, failed(&HEAD_TOO_LARGE));
}

/// A handler describes an error by status and description alone: its body is a problem.
fn complete_problems(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status == "429" && response.content.is_empty() {
            *response = retried(failed(&TOO_MANY_ATTEMPTS));
        } else if status.as_str() >= "400" && response.content.is_empty() {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            response.content.insert(CONTENT_TYPE.to_owned(), content.into());
        }
    }
}

fn add_problems(operation: &mut Operation, schemas: &Value) {
    add_answers_to_parameters(operation);
    if operation.request_body.is_some() {
        add(operation, 400, problem(400, "The body is not valid JSON: it ends too early at line 1 column 9."));
        add(operation, 408, failed(&BODY_TOO_SLOW));
        add(operation, 413, failed(&BODY_TOO_LARGE));
        add(operation, 415, problem(415, "The Content-Type should be application/json."));
    }
    if let Some(fault) = fault_of_body(operation, schemas).or_else(|| fault_of_parameter(operation)) {
        add(operation, 422, invalid_field(fault));
    }
    if operation.security.is_some() {
        let missing = "Not authenticated: send an access token in the header Authorization: Bearer.";
        add(operation, 401, challenged(problem(401, missing)));
        let lacking = format!("This needs an access token with the scope {}.", required_scope(operation));
        add(operation, 403, challenged(problem(403, &lacking)));
    }
    add(operation, 503, retried(failed(&Failure::Unavailable(String::new()))));
}

/// What follows from the `{id}` of a path, `If-Match` and `If-None-Match`.
fn add_answers_to_parameters(operation: &mut Operation) {
    let parameters = operation.parameters.iter().flatten();
    let names = parameters.filter_map(|parameter| match parameter {
        RefOr::T(Parameter { name, .. }) => Some(name.clone()),
        RefOr::Ref(_) => None,
    });
    let names: Vec<String> = names.collect();
    let has = |name: &str| names.iter().any(|one| one == name);
    if has("id") {
        add(operation, 404, described("There is nothing with this id.", 404, &ApiError::NotFound.to_string()));
    }
    if has("If-Match") {
        let detail = ApiError::PreconditionFailed.to_string();
        add(operation, 412, described("`If-Match` names another version.", 412, &detail));
    }
    if has("If-None-Match") {
        let response = ResponseBuilder::new().description("You have the current version.").build();
        add(operation, 304, response);
    }
    if has("If-Match") || has("If-None-Match") {
        for status in ["200", "304"] {
            if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
                add_header(response, "ETag", Type::String, "The version, for `If-Match` and `If-None-Match`.");
            }
        }
    }
}

fn add_oauth_errors(operation: &mut Operation) {
    let is_log_in = operation.operation_id.as_deref() == Some("log_in");
    let refused = if is_log_in {
        oauth("invalid_grant", "Incorrect username or password")
    } else {
        oauth("invalid_request", "The parameter token is missing")
    };
    let description = "The request is invalid or was refused (`error` says why).";
    add(operation, 400, oauth_response(description, refused));
    let client = oauth("invalid_client", "Client authentication failed");
    add(operation, 401, challenged(oauth_response("The client is unknown or failed to authenticate.", client)));
    add(operation, 408, oauth_failed("The body did not arrive in time.", "invalid_request", &BODY_TOO_SLOW));
    add(operation, 413, oauth_failed("The body is too large.", "invalid_request", &BODY_TOO_LARGE));
    add(operation, 431, oauth_failed("The headers are too large.", "invalid_request", &HEAD_TOO_LARGE));
    add(operation, 429, retried(oauth_failed("Too many attempts.", "slow_down", &TOO_MANY_ATTEMPTS)));
    let busy = Failure::Busy { retry_after_seconds: 1 };
    let description = "The service is busy, or its database is unavailable.";
    add(operation, 503, retried(oauth_failed(description, "temporarily_unavailable", &busy)));
}

/// Adds a response, unless the handler describes that status itself.
fn add(operation: &mut Operation, status: u16, response: Response) {
    operation.responses.responses.entry(status.to_string()).or_insert(RefOr::T(response));
}

/// A failure that any route can have, as a problem.
fn failed(failure: &Failure) -> Response {
    problem(failure.status().as_u16(), &format!("{failure}."))
}

/// The same as an OAuth error.
fn oauth_failed(description: &str, error: &str, failure: &Failure) -> Response {
    oauth_response(description, oauth(error, &failure.to_string()))
}

fn problem(status: u16, detail: &str) -> Response {
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    described(title, status, detail)
}

fn described(description: &str, status: u16, detail: &str) -> Response {
    response(description, CONTENT_TYPE, "Problem", problem_example(status, detail))
}

fn invalid_field(fault: Fault) -> Response {
    let faults = vec![fault];
    let detail = ApiError::InvalidFields(faults.clone()).to_string();
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with_errors(faults);
    let example = serde_json::to_value(problem).unwrap_or_default();
    response("Fields are invalid; `errors` lists every fault.", CONTENT_TYPE, "Problem", example)
}

/// A sample fault of a JSON body: its first required field is missing or, if none is required, its first has another type.
fn fault_of_body(operation: &Operation, schemas: &Value) -> Option<Fault> {
    let body = serde_json::to_value(&operation.request_body).unwrap_or_default();
    let schema = resolve(body.pointer("/content/application~1json/schema")?, schemas);
    match schema.pointer("/required/0").and_then(Value::as_str) {
        Some(name) => Some(fault("body", name, "missing", "Field required")),
        None => {
            let (name, member) = schema["properties"].as_object()?.iter().next()?;
            Some(match member["type"].as_str() {
                Some("boolean") => fault("body", name, "bool_type", "Input should be true or false"),
                _ => fault("body", name, "string_type", "Input should be a string"),
            })
        }
    }
}

/// A sample fault of the first path or query parameter.
fn fault_of_parameter(operation: &Operation) -> Option<Fault> {
    let found = operation.parameters.iter().flatten().find_map(|parameter| match parameter {
        RefOr::T(one) if matches!(one.parameter_in, ParameterIn::Path) => Some(("path", one)),
        RefOr::T(one) if matches!(one.parameter_in, ParameterIn::Query) => Some(("query", one)),
        _ => None,
    });
    let (place, Parameter { name, .. }) = found?;
    let msg = match name.as_str() {
        "limit" => "Input should be an integer from 1 to 100",
        _ => "Input should be a positive integer below 2^53",
    };
    Some(fault(place, name, "int_parsing", msg))
}

fn fault(place: &str, name: &str, kind: &'static str, msg: &str) -> Fault {
    Fault::new(place, name, Rejection::new(kind, msg))
}

fn required_scope(operation: &Operation) -> String {
    let requirements = serde_json::to_value(&operation.security).unwrap_or_default();
    let scope = requirements.pointer(&format!("/0/{SCHEME}/0")).and_then(Value::as_str);
    scope.unwrap_or_default().to_owned()
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

fn challenged(mut response: Response) -> Response {
    add_header(&mut response, "WWW-Authenticate", Type::String, "The challenge (RFC 6750 §3, RFC 7617).");
    response
}

fn retried(mut response: Response) -> Response {
    add_header(&mut response, "Retry-After", Type::Integer, "Seconds to wait before the next try.");
    response
}

pub(super) fn add_header(response: &mut Response, name: &str, kind: Type, description: &str) {
    let schema = ObjectBuilder::new().schema_type(kind).build();
    let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
    response.headers.insert(name.into(), header.into());
}
