//! A request: its address, its headers, and a body made of the document's examples and the collection's variables.

use serde_json::{Value, json};
use utoipa::openapi::path::ParameterIn;

use super::Variation;
use super::route::{Route, with};
use crate::docs::openapi::example_of;

/// Members of a body whose value is a variable of the collection, and that variable.
const VARIABLES: [(&str, &str); 10] = [
    ("email", "{{username}}"),
    ("username", "{{username}}"),
    ("password", "{{password}}"),
    ("current_password", "{{password}}"),
    ("new_password", "{{new_password}}"),
    ("new_email", "{{new_email}}"),
    ("refresh_token", "{{refresh_token}}"),
    ("token", "{{refresh_token}}"),
    ("client_id", "{{client_id}}"),
    ("client_secret", "{{client_secret}}"),
];

pub(super) fn request(route: &Route<'_>, variation: Variation) -> Value {
    let text = route.operation["description"].as_str().unwrap_or(route.summary());
    let request = json!({
        "method": route.method,
        "header": headers(route),
        "url": url(route),
        "description": text,
    });
    let request = with(request, "body", body(route, variation));
    // All others inherit the collection's.
    with(request, "auth", route.scope().is_none().then(|| json!({ "type": "noauth" })))
}

fn url(route: &Route<'_>) -> Value {
    let part = |part: &str| match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => format!(":{name}"),
        None => part.to_owned(),
    };
    let path: Vec<String> = route.path.split('/').skip(1).map(part).collect();
    let variables: Vec<Value> = parameters(route, &ParameterIn::Path)
        .map(|one| json!({ "key": one["name"], "value": format!("{{{{{}}}}}", route.id_variable()), "description": one["description"] }))
        .collect();
    let query: Vec<Value> = parameters(route, &ParameterIn::Query).map(optional).collect();
    let url = json!({
        "raw": format!("{{{{baseUrl}}}}/{}", path.join("/")),
        "host": ["{{baseUrl}}"],
        "path": path,
    });
    let some = |values: Vec<Value>| (!values.is_empty()).then_some(Value::Array(values));
    with(with(url, "variable", some(variables)), "query", some(query))
}

fn headers(route: &Route<'_>) -> Vec<Value> {
    let content_type = route.body().filter(|(content_type, _)| is_json(content_type));
    let content_type = content_type.map(|(name, _)| json!({ "key": "Content-Type", "value": name }));
    content_type.into_iter().chain(parameters(route, &ParameterIn::Header).map(optional)).collect()
}

fn parameters<'a>(route: &Route<'a>, place: &ParameterIn) -> impl Iterator<Item = &'a Value> {
    let place = serde_json::to_value(place).unwrap_or_default();
    let all = route.operation["parameters"].as_array().into_iter().flatten();
    all.filter(move |parameter| parameter["in"] == place)
}

/// A parameter, disabled until the user ticks it. Insomnia's importer enables it, so `If-Match` matches any version.
fn optional(parameter: &Value) -> Value {
    let value = match (&parameter["example"], parameter["name"].as_str()) {
        (Value::Null, Some("If-Match")) => "*".to_owned(),
        (Value::Null, _) => String::new(),
        (Value::String(text), _) => text.clone(),
        (other, _) => other.to_string(),
    };
    json!({ "key": parameter["name"], "value": value, "description": parameter["description"], "disabled": true })
}

fn body(route: &Route<'_>, variation: Variation) -> Option<Value> {
    let (content_type, schema) = route.body()?;
    if !is_json(content_type) {
        return Some(json!({ "mode": "urlencoded", "urlencoded": form(route, schema, variation) }));
    }
    let mut example = example_of(schema, route.schemas);
    for (name, value) in example.as_object_mut().into_iter().flatten() {
        match (name.as_str(), token_variable(route), variable_of(name)) {
            ("email", ..) if route.is_administration() => *value = "{{managed_email}}".into(),
            ("token", Some(variable), _) => *value = format!("{{{{{variable}}}}}").into(),
            (_, _, Some(variable)) => *value = variable.into(),
            _ => {}
        }
    }
    let text = serde_json::to_string_pretty(&example).unwrap_or_default();
    Some(json!({ "mode": "raw", "raw": text, "options": { "raw": { "language": "json" } } }))
}

fn form(route: &Route<'_>, schema: &Value, variation: Variation) -> Vec<Value> {
    let Some((members, required)) = route.members_of(schema) else { return Vec::new() };
    let is_renewal = variation == Variation::Renewal;
    let is_sent = |name: &str| match name {
        "grant_type" => true,
        "refresh_token" => is_renewal,
        "username" | "password" => !is_renewal,
        // Only confidential clients may introspect.
        "client_id" | "client_secret" => needs_client(route),
        _ => required.contains(&name),
    };
    let value = |name: &str, member: &Value| match (name, variable_of(name)) {
        ("grant_type", _) if is_renewal => "refresh_token".to_owned(),
        (_, Some(variable)) => variable.to_owned(),
        _ => member["example"].as_str().unwrap_or_default().to_owned(),
    };
    let field = |(name, member): (&String, &Value)| {
        let field = json!({
            "key": name, "value": value(name, member), "type": "text", "description": member["description"],
        });
        with(field, "disabled", (!is_sent(name)).then_some(Value::Bool(true)))
    };
    members.iter().map(field).collect()
}

fn variable_of(name: &str) -> Option<&'static str> {
    VARIABLES.iter().find(|(member, _)| *member == name).map(|(_, variable)| *variable)
}

/// Whether the route is for clients with a secret only (RFC 7662 §2.1).
pub(super) fn needs_client(route: &Route<'_>) -> bool {
    route.id() == "introspect_token"
}

/// The variable with the one-time token that the route takes. It is empty until somebody has a link to try.
pub(super) fn token_variable(route: &Route<'_>) -> Option<&'static str> {
    match route.id() {
        "confirm_password_reset" => Some("reset_token"),
        "confirm_email_verification" => Some("verification_token"),
        "confirm_sign_up" => Some("sign_up_token"),
        "accept_invitation" => Some("invitation_token"),
        "confirm_email_change" => Some("email_change_token"),
        "undo_email_change" => Some("email_undo_token"),
        _ => None,
    }
}

fn is_json(content_type: &str) -> bool {
    content_type == "application/json"
}
