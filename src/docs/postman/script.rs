//! The checks after a request, and the values kept for later requests. Bruno and Insomnia run these scripts too.

use serde_json::json;

use super::Variation;
use super::request::{needs_client, token_variable};
use super::route::Route;

/// The lines of a request's test script.
pub(super) fn lines(route: &Route<'_>, variation: Variation) -> Vec<String> {
    let (success, response) = route.success();
    let expected = match condition(route) {
        Some((condition, otherwise)) => format!("{condition} ? {success} : {otherwise}"),
        None => success.to_string(),
    };
    let mut lines = vec![
        format!("const expected = {expected};"),
        "pm.test(`Status ${expected}`, () => pm.response.to.have.status(expected));".into(),
    ];
    let checks = checks(route).into_iter().chain(kept(route, variation));
    let checks: Vec<String> = checks.map(|line| format!("  {line}")).collect();
    if !checks.is_empty() && !response.is_null() {
        lines.push(format!("if (pm.response.code === {success}) {{"));
        lines.extend(checks);
        lines.push("}".into());
    }
    lines
}

/// A condition in JavaScript that success depends on, and the status if it does not hold.
fn condition(route: &Route<'_>) -> Option<(String, u16)> {
    if route.scope() == Some("admin") {
        return Some((r#"(pm.variables.get("scope") || "").split(" ").includes("admin")"#.to_owned(), 403));
    }
    let is_set = |variable: &str| format!("pm.variables.get(\"{variable}\")");
    match token_variable(route) {
        Some(variable) => Some((is_set(variable), 400)),
        None => needs_client(route).then(|| (is_set("client_secret"), 401)),
    }
}

fn checks(route: &Route<'_>) -> Vec<String> {
    let Some((content_type, schema)) = route.success_content() else { return Vec::new() };
    let mut lines = vec![format!(
        "pm.test(\"Content type {content_type}\", () => pm.expect(pm.response.headers.get(\"Content-Type\")).to.include(\"{content_type}\"));"
    )];
    if let Some((_, required)) = route.members_of(schema).filter(|(_, required)| !required.is_empty()) {
        let names = json!(required);
        lines.push(format!(
            "pm.test(\"All members are there\", () => pm.expect(Object.keys(pm.response.json())).to.include.members({names}));"
        ));
    }
    lines
}

/// Whether a later request can use the id of what was created.
fn has_id(route: &Route<'_>) -> bool {
    let members = route.success_content().and_then(|(_, schema)| route.members_of(schema));
    members.is_some_and(|(members, _)| members.contains_key("id"))
}

/// Keeps the values that later requests need.
fn kept(route: &Route<'_>, variation: Variation) -> Vec<String> {
    let keep = |name: &str, value: &str| format!("pm.collectionVariables.set(\"{name}\", {value});");
    match route.id() {
        "log_in" if variation == Variation::OtherDevice => Vec::new(),
        "log_in" => ["access_token", "refresh_token", "scope"]
            .map(|name| keep(name, &format!("pm.response.json().{name}")))
            .to_vec(),
        "list_sessions" => vec![
            "const other = pm.response.json().items.find((session) => !session.current);".into(),
            format!("if (other) {}", keep("session_id", "other.id")),
        ],
        _ if route.success().0 == 201 && has_id(route) => vec![keep(&route.id_variable(), "pm.response.json().id")],
        _ => Vec::new(),
    }
}
