//! Contract, "Docs and operations": Swagger UI, the `OpenAPI` document, and health.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Actor, Answer, SCOPES, Server, header_names};

/// What stands in the contract: method, path, statuses that a client can meet.
const OPERATIONS: [(&str, &str, &[u16]); 36] = [
    ("post", "/login", &[200, 400, 401, 408, 413, 429, 431, 503]),
    ("post", "/signup/confirm", &[201, 400, 403, 408, 409, 413, 415, 422, 429, 431, 503]),
    ("post", "/signup", &[201, 202, 400, 403, 408, 409, 413, 415, 422, 429, 431, 503]),
    ("post", "/invitation", &[201, 400, 403, 408, 409, 413, 415, 422, 429, 431, 503]),
    ("post", "/password-reset", &[202, 400, 408, 413, 415, 422, 429, 431, 503]),
    ("post", "/email-verification", &[202, 401, 403, 429, 431, 503]),
    ("post", "/password-reset/confirm", &[204, 400, 408, 413, 415, 422, 429, 431, 503]),
    ("post", "/email-verification/confirm", &[204, 400, 408, 413, 415, 422, 429, 431, 503]),
    ("post", "/me/email", &[202, 400, 401, 403, 408, 413, 415, 422, 429, 431, 503]),
    ("post", "/email-change/confirm", &[204, 400, 408, 409, 413, 415, 422, 429, 431, 503]),
    ("post", "/email-change/undo", &[204, 400, 408, 409, 413, 415, 422, 429, 431, 503]),
    ("get", "/users", &[200, 401, 403, 422, 431, 503]),
    ("post", "/users", &[201, 400, 401, 403, 408, 409, 413, 415, 422, 431, 503]),
    ("get", "/users/{id}", &[200, 401, 403, 404, 422, 431, 503]),
    ("patch", "/users/{id}", &[200, 400, 401, 403, 404, 408, 409, 413, 415, 422, 431, 503]),
    ("delete", "/users/{id}", &[204, 401, 403, 404, 409, 422, 431, 503]),
    ("get", "/users/{id}/sessions", &[200, 401, 403, 404, 422, 431, 503]),
    ("delete", "/users/{id}/sessions", &[204, 401, 403, 404, 422, 431, 503]),
    ("post", "/users/{id}/reset-link", &[201, 401, 403, 404, 409, 422, 431, 503]),
    ("get", "/profile/{id}", &[200, 401, 403, 404, 422, 431, 503]),
    ("get", "/me", &[200, 401, 403, 431, 503]),
    ("delete", "/me", &[204, 400, 401, 403, 408, 409, 413, 415, 422, 429, 431, 503]),
    ("patch", "/me", &[200, 400, 401, 403, 408, 413, 415, 422, 431, 503]),
    ("get", "/me/export", &[200, 401, 403, 431, 503]),
    ("get", "/me/activity", &[200, 401, 403, 422, 431, 503]),
    ("get", "/audit", &[200, 401, 403, 422, 431, 503]),
    ("get", "/posts", &[200, 422, 431, 503]),
    ("post", "/posts", &[201, 400, 401, 403, 408, 413, 415, 422, 431, 503]),
    ("get", "/posts/{id}", &[200, 304, 404, 422, 431, 503]),
    ("put", "/posts/{id}", &[200, 400, 401, 403, 404, 408, 412, 413, 415, 422, 431, 503]),
    ("patch", "/posts/{id}", &[200, 400, 401, 403, 404, 408, 412, 413, 415, 422, 431, 503]),
    ("delete", "/posts/{id}", &[204, 401, 403, 404, 422, 431, 503]),
    ("get", "/healthz", &[200, 431]),
    ("get", "/readyz", &[200, 431, 503]),
    ("get", "/redoc", &[200, 431]),
    ("get", "/postman.json", &[200, 431]),
];

/// The paths whose errors are those of RFC 6749.
const OAUTH_PATHS: [&str; 3] = ["/login", "/revoke", "/introspect"];

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

pub(crate) fn document(server: &Server) -> Value {
    server.get("/openapi.json").expect_json(200)
}

/// Every operation of the document: method, path, operation.
pub(crate) fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = Vec::new();
    for (path, item) in paths {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                operations.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
    }
    operations
}

/// The path with an id for each parameter.
pub(crate) fn concrete(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect::<Vec<_>>().join("/")
}

/// The scopes that an operation asks for; `None` when it is open to anyone.
pub(crate) fn needed_scopes(operation: &Value) -> Option<Vec<String>> {
    let requirements = operation.get("security")?.as_array()?;
    let requirement = requirements.iter().find_map(|one| one.as_object().filter(|one| !one.is_empty()))?;
    let scopes = requirement.values().flat_map(|scopes| scopes.as_array().into_iter().flatten());
    Some(scopes.map(|scope| scope.as_str().expect("a scope").to_owned()).collect())
}

/// Follows redirects, as a browser does.
pub(crate) fn browse(server: &Server, path: &str) -> (String, Answer) {
    let mut path = path.to_owned();
    for _ in 0..5 {
        let answer = server.get(&path);
        if !(300..400).contains(&answer.status) {
            return (path, answer);
        }
        path = resolve(&path, answer.need("location"));
    }
    panic!("too many redirects at {path}");
}

/// A relative reference, seen from a page of the service itself.
pub(crate) fn resolve(page: &str, reference: &str) -> String {
    assert!(!reference.contains("//"), "another host: {reference}");
    if reference.starts_with('/') {
        return reference.to_owned();
    }
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{}", reference.trim_start_matches("./"))
}

/// What a page loads.
pub(crate) fn references(html: &str) -> Vec<String> {
    let values = |name: &str| {
        html.split(&format!("{name}=\""))
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    [values("src"), values("href")].concat()
}

#[test]
fn the_root_leads_to_the_docs() {
    let server = Server::start();
    let answer = server.get("/").expect(307);
    assert_eq!(answer.need("location"), "/docs");
}

#[test]
fn docs_is_a_page_under_a_content_security_policy() {
    let server = Server::start();
    let (_, answer) = browse(&server, "/docs");
    let answer = answer.expect(200);
    assert!(answer.need("content-type").starts_with("text/html"), "{}", answer.need("content-type"));
    let policy = answer.need("content-security-policy");
    for directive in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.split(';').any(|part| part.trim() == directive), "{directive} in {policy}");
    }
    assert!(!policy.contains("unsafe-eval") && !policy.contains("http"), "{policy}");
}

#[test]
fn everything_that_docs_loads_comes_from_the_service_itself() {
    let server = Server::start();
    let (page, answer) = browse(&server, "/docs");
    let references = references(answer.text());
    assert!(references.len() >= 3, "{references:?}");
    let mut scripts = String::new();
    for reference in
        references.iter().filter(|reference| !reference.starts_with('#') && !reference.starts_with("data:"))
    {
        let (path, asset) = browse(&server, &resolve(&page, reference));
        let asset = asset.expect(200);
        assert!(!asset.body.is_empty(), "{path}");
        let kind = asset.need("content-type");
        let extension = path.rsplit('.').next();
        if extension == Some("js") {
            assert!(kind.contains("javascript"), "{path}: {kind}");
            if !path.contains("bundle") && !path.contains("preset") {
                scripts.push_str(asset.text());
            }
        } else if extension == Some("css") {
            assert!(kind.starts_with("text/css"), "{path}: {kind}");
        }
    }
    assert!(scripts.contains("openapi.json"), "the document is not named: {scripts}");
    assert!(!scripts.contains("http://") && !scripts.contains("https://"), "another host: {scripts}");
    let compact: String = scripts.chars().filter(|c| !c.is_whitespace()).collect();
    assert!(compact.contains("requestInterceptor"), "{scripts}");
    assert!(
        compact.contains("credentials") && (compact.contains("'omit'") || compact.contains("\"omit\"")),
        "{scripts}"
    );
    // Swagger UI asks validator.swagger.io on every host but the loopback unless it is told not to.
    assert!(compact.contains("validatorUrl"), "{scripts}");
}

#[test]
fn the_files_of_docs_take_get_and_head_only() {
    let server = Server::start();
    let (page, answer) = browse(&server, "/docs");
    let loaded = references(answer.text()).into_iter().map(|reference| resolve(&page, &reference));
    let mut files: Vec<_> = loaded.filter(|path| path.starts_with("/docs/")).collect();
    files.dedup();
    assert!(!files.is_empty(), "{}", answer.text());
    for path in files {
        let (get, head) = (server.get(&path).expect(200), server.head(&path).expect_empty(200));
        assert_eq!(head.header("content-length"), get.header("content-length"), "{head}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{head}");
        let answer = server.post(&path, json!({}));
        assert_eq!(header_names(answer.need("allow")), ["GET", "HEAD"], "{answer}");
        answer.expect_error(405);
    }
}

#[test]
fn a_file_that_docs_does_not_have_is_404() {
    let server = Server::start();
    for path in ["/docs/nothing.js", "/docs/../Cargo.toml", "/docs/%2e%2e/config", "/docs/a/b/c"] {
        let (_, answer) = browse(&server, path);
        answer.expect_error(404);
    }
}

#[test]
fn the_document_is_openapi_3_1_with_the_password_flow() {
    let server = Server::start();
    let document = document(&server);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    assert!(document["info"]["title"].as_str().is_some_and(|text| !text.is_empty()));
    assert!(document["info"]["version"].as_str().is_some_and(|text| !text.is_empty()));
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let flow = schemes
        .values()
        .map(|scheme| &scheme["flows"]["password"])
        .find(|flow| flow.is_object())
        .expect("a password flow");
    assert_eq!(flow["tokenUrl"], "/login");
    let scopes: Vec<_> = flow["scopes"].as_object().unwrap().keys().collect();
    assert_eq!(scopes, SCOPES);
}

#[test]
fn the_document_has_every_route_with_every_status() {
    let server = Server::start();
    let document = document(&server);
    let mut missing = Vec::new();
    for (method, path, statuses) in OPERATIONS {
        let responses = &document["paths"][path][method]["responses"];
        for status in statuses {
            if !responses[status.to_string()].is_object() {
                missing.push(format!("{method} {path} {status}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_response_in_the_document_is_described_and_has_an_example() {
    let server = Server::start();
    let document = document(&server);
    let mut faults = Vec::new();
    for (method, path, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let response = follow(&document, response);
            let place = format!("{method} {path} {status}");
            if response["description"].as_str().is_none_or(str::is_empty) {
                faults.push(format!("{place}: no description"));
            }
            let contents: Vec<_> = response["content"].as_object().into_iter().flatten().collect();
            if contents.is_empty() && !["204", "304", "307"].contains(&status.as_str()) {
                faults.push(format!("{place}: no body"));
            }
            let code = status.parse().expect("a status");
            let is_oauth = OAUTH_PATHS.contains(&path.as_str());
            let found = contents.into_iter().filter_map(|(kind, content)| match code {
                0..400 => fault_of_success(&document, kind, content),
                _ => fault_of_error(code, is_oauth, kind, content),
            });
            faults.extend(found.map(|fault| format!("{place}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What is wrong with the body of a success in the document.
fn fault_of_success(document: &Value, kind: &str, content: &Value) -> Option<&'static str> {
    let is_shown = kind.starts_with("text/") || !examples(content).is_empty() || is_shown(document, &content["schema"]);
    (!is_shown).then_some("no example")
}

/// Whether Swagger UI can put an example together from the schema: each field has one.
fn is_shown(document: &Value, schema: &Value) -> bool {
    let schema = follow(document, schema);
    let is_given = ["example", "examples", "const", "enum", "default"].iter().any(|name| schema.get(*name).is_some());
    let fields = || {
        schema["properties"].as_object().is_some_and(|fields| fields.values().all(|field| is_shown(document, field)))
    };
    let items = || schema.get("items").is_some_and(|items| is_shown(document, items));
    is_given || schema["type"] == "boolean" || fields() || items()
}

/// What is wrong with the body of an error in the document.
fn fault_of_error(code: u16, is_oauth: bool, kind: &str, content: &Value) -> Option<&'static str> {
    let examples = examples(content);
    if examples.is_empty() {
        return Some("no example");
    }
    let expected = if is_oauth { "application/json" } else { "application/problem+json" };
    let is_problem = |example: &Value| example["status"] == code && example["detail"].is_string();
    let is_oauth_error = |example: &Value| {
        let is_complete = example["error"].is_string() && example["detail"].is_string();
        is_complete && example["detail"] == example["error_description"]
    };
    let is_right = |example: &Value| {
        if is_oauth { is_oauth_error(example) } else { is_problem(example) }
    };
    if kind != expected {
        return Some("another content type");
    }
    (!examples.iter().all(is_right)).then_some("the example is another error")
}

/// The examples of a media type, inline or named.
pub(crate) fn examples(content: &Value) -> Vec<Value> {
    let named = content["examples"].as_object().into_iter().flatten().map(|(_, example)| example["value"].clone());
    content.get("example").cloned().into_iter().chain(named).collect()
}

/// What a reference within the document stands for.
pub(crate) fn follow<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("a foreign reference: {reference}"));
            document.pointer(pointer).unwrap_or_else(|| panic!("a dead reference: {reference}"))
        }
        None => value,
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn visit(document: &Value, value: &Value) {
        follow(document, value);
        match value {
            Value::Array(values) => values.iter().for_each(|value| visit(document, value)),
            Value::Object(members) => members.values().for_each(|value| visit(document, value)),
            _ => {}
        }
    }
    let server = Server::start();
    let document = document(&server);
    visit(&document, &document);
}

#[test]
fn every_operation_has_an_id_of_its_own_a_summary_and_a_tag() {
    let server = Server::start();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document(&server)) {
        let place = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("no operationId: {place}"));
        assert!(ids.insert(id.to_owned()), "{id} is there twice: {place}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "no summary: {place}");
        assert!(operation["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "no tag: {place}");
    }
}

#[test]
fn every_path_parameter_in_the_document_is_declared() {
    let server = Server::start();
    for (method, path, operation) in operations(&document(&server)) {
        let declared: Vec<_> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .collect();
        let in_path = path.split('/').filter(|part| part.starts_with('{')).count();
        assert_eq!(declared.len(), in_path, "{method} {path}");
        assert!(declared.iter().all(|parameter| parameter["required"] == true), "{method} {path}");
    }
}

#[test]
fn the_login_form_is_described_as_fastapi_does_with_empty_examples_for_what_is_optional() {
    let server = Server::start();
    let document = document(&server);
    let content = &document["paths"]["/login"]["post"]["requestBody"]["content"];
    let schema = follow(&document, &content["application/x-www-form-urlencoded"]["schema"]);
    let required: BTreeSet<_> =
        schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(required, BTreeSet::from(["password", "username"]));
    let properties = schema["properties"].as_object().unwrap();
    for name in ["username", "password", "scope", "grant_type", "client_id", "client_secret"] {
        assert!(properties.contains_key(name), "{name} in {properties:?}");
    }
    assert_eq!(properties["password"]["format"], "password");
    for (name, property) in properties {
        if !required.contains(name.as_str()) && name != "grant_type" {
            let examples = property["examples"].as_array().and_then(|examples| examples.first());
            assert_eq!(property.get("example").or(examples), Some(&json!("")), "{name}: {property}");
        }
    }
}

#[test]
fn every_protected_operation_asks_for_a_token_and_no_other_does() {
    let server = Server::start();
    let mut protected = Vec::new();
    for (method, path, operation) in operations(&document(&server)) {
        let answer = server.request(&method, &concrete(&path)).send();
        if needed_scopes(&operation).is_some() {
            protected.push(format!("{method} {path}"));
            answer.expect_no_credentials();
            server.with_token("bad").request(&method, &concrete(&path)).send().expect_invalid_token();
            let basic = server.request(&method, &concrete(&path)).header("authorization", "Basic Og==").send();
            basic.expect_no_credentials();
        } else {
            assert_ne!(answer.status, 401, "{answer}");
        }
    }
    for (method, path, statuses) in
        OPERATIONS.iter().filter(|(_, path, statuses)| *path != "/login" && statuses.contains(&401))
    {
        let name = format!("{} {path}", method.to_uppercase());
        assert!(protected.contains(&name), "{name} is not protected: {statuses:?}");
    }
}

#[test]
fn every_protected_operation_refuses_a_token_without_its_scope_and_names_it() {
    let server = Server::start();
    server.sign_up("bob@example.com");
    let actors: [Actor; 2] = ["profile", "posts"].map(|scope| server.log_in_for("bob@example.com", scope));
    for (method, path, operation) in operations(&document(&server)) {
        let Some(scopes) = needed_scopes(&operation) else {
            continue;
        };
        assert_eq!(scopes.len(), 1, "one scope: {method} {path}");
        for actor in actors.iter().filter(|actor| actor.grant["scope"] != scopes[0].as_str()) {
            actor.request(&method, &concrete(&path)).send().expect_insufficient_scope(&scopes[0]);
        }
    }
}

#[test]
fn a_method_that_the_document_does_not_have_is_405_and_allow_names_those_it_has() {
    let server = Server::start();
    let document = document(&server);
    for (path, item) in document["paths"].as_object().unwrap() {
        let mut known: Vec<_> =
            METHODS.into_iter().filter(|&method| item.get(method).is_some()).map(str::to_uppercase).collect();
        if known.contains(&"GET".to_owned()) {
            known.push("HEAD".to_owned());
        }
        known.sort();
        for method in METHODS.map(str::to_uppercase) {
            if known.contains(&method) {
                continue;
            }
            let answer = server.request(&method, &concrete(path)).send();
            assert_eq!(answer.status, 405, "{answer}");
            assert_eq!(header_names(answer.need("allow")), known, "{answer}");
        }
    }
}

#[test]
fn the_process_is_healthy_and_ready() {
    let server = Server::start();
    server.get("/healthz").expect(200);
    server.get("/readyz").expect(200);
}
