//! The errors that many operations share, added by rules that depend on what an operation accepts.

use actix_web::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type};

use super::SCHEME;
use super::examples::{problem_example, resolve};
use crate::fields::Fault;
use crate::http::error::ApiError;
use crate::http::problem::{CONTENT_TYPE, Problem};

pub(super) fn add_shared_errors(operation: &mut Operation, schemas: &Value) {
    let is_oauth = operation.tags.iter().flatten().any(|tag| tag == "oauth");
    let is_operations = operation.tags.iter().flatten().any(|tag| tag == "operations");
    match (is_oauth, operation.request_body.is_some()) {
        (true, true) => add_oauth_errors(operation),
        (false, _) if !is_operations => add_problems(operation, schemas),
        _ => {}
    }
    complete_problems(operation);
    add(operation, 431, problem(431, "The headers are too large: at most 65536 bytes are allowed."));
}

/// A handler describes an error by status and description alone: its body is a problem.
fn complete_problems(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if status.as_str() >= "400" && response.content.is_empty() {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            response.content.insert(CONTENT_TYPE.to_owned(), content.into());
        }
    }
}

fn add_problems(operation: &mut Operation, schemas: &Value) {
    add_answers_to_parameters(operation);
    if operation.request_body.is_some() {
        add(operation, 400, problem(400, "The body is not valid JSON: it ends too early at line 1 column 9."));
        add(operation, 408, problem(408, "The body took too long: it must arrive within 30 seconds."));
        add(operation, 413, problem(413, "The body is too large: at most 262144 bytes are allowed."));
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
    let ask_passwords = [
        "sign_up",
        "accept_invitation",
        "change_password",
        "delete_me",
        "confirm_password_reset",
        "confirm_email_verification",
    ];
    if operation.operation_id.as_deref().is_some_and(|id| ask_passwords.contains(&id)) {
        add(operation, 429, retried(problem(429, "Too many attempts. Try again in 300 seconds.")));
    }
    let away = "The service is temporarily unavailable. Try again in a moment.";
    add(operation, 503, retried(problem(503, away)));
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
    let slow = oauth("invalid_request", "The body took too long: it must arrive within 30 seconds");
    add(operation, 408, oauth_response("The body did not arrive in time.", slow));
    let large = oauth("invalid_request", "The body is too large: at most 262144 bytes are allowed");
    add(operation, 413, oauth_response("The body is too large.", large));
    let text = "Too many attempts. Try again in 300 seconds";
    let long = oauth("invalid_request", "The headers are too large: at most 65536 bytes are allowed");
    add(operation, 431, oauth_response("The headers are too large.", long));
    add(operation, 429, retried(oauth_response("Too many attempts.", oauth("slow_down", text))));
    let away = oauth("temporarily_unavailable", "The service is busy. Try again in a moment");
    add(operation, 503, retried(oauth_response("The service is busy, or its database is unavailable.", away)));
}

/// Adds a response, unless the handler describes that status itself.
fn add(operation: &mut Operation, status: u16, response: Response) {
    operation.responses.responses.entry(status.to_string()).or_insert(RefOr::T(response));
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

/// A sample fault of a JSON body: its first required field is missing or, if none is required, its first is no string.
fn fault_of_body(operation: &Operation, schemas: &Value) -> Option<Fault> {
    let body = serde_json::to_value(&operation.request_body).unwrap_or_default();
    let schema = resolve(body.pointer("/content/application~1json/schema")?, schemas);
    match schema.pointer("/required/0").and_then(Value::as_str) {
        Some(name) => Some(fault("body", name, "missing", "Field required")),
        None => {
            let name = schema["properties"].as_object()?.keys().next()?;
            Some(fault("body", name, "string_type", "Input should be a string"))
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
    Fault { loc: vec![place.to_owned(), name.to_owned()], msg: msg.to_owned(), kind }
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
