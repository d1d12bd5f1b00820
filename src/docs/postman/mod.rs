//! The Postman collection (format v2.1), made from the OpenAPI document: every route once, a folder for each tag.
//!
//! It runs from top to bottom on an empty service. Two extra folders hold the first and the last requests of a run.
//! Within a folder, requests create things before they read them, and read them before they delete them.

mod request;
mod route;
mod script;

use serde_json::{Value, json};

use route::{Route, at, routes, with};

const FORMAT: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

const DESCRIPTION: &str = "\
Send *Sign up* and *Log in* under **First steps**, then anything else: *Log in* keeps the tokens in the variables \
`access_token` and `refresh_token`, and each request that needs one takes it from there.\n\n\
Set `baseUrl`, `username` and `password` under *Variables*. Run as a whole, the collection signs up, tries every route and \
deletes the account again.";

/// The requests before and after the folders of the tags.
const FIRST_STEPS: [Step; 3] = [
    Step::route("sign_up"),
    Step::named("log_in", "Log in", Variation::Plain),
    Step::named("log_in", "Refresh the tokens", Variation::Renewal),
];
const LAST_STEPS: [Step; 3] =
    [Step::route("log_out"), Step::named("log_in", "Log in again", Variation::Plain), Step::route("delete_me")];

/// A request that shows a second use of a route, and the route that follows it.
const SECOND_USES: [(&str, Step); 1] =
    [("list_sessions", Step::named("log_in", "Log in on another device", Variation::OtherDevice))];

/// One request of the collection: a route, by its operation id, under a name.
#[derive(Clone, Copy)]
struct Step {
    operation_id: &'static str,
    /// `None`: the operation's summary.
    name: Option<&'static str>,
    variation: Variation,
}

/// How a request differs from the document's description of its route.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Variation {
    Plain,
    /// With the refresh token in place of the password.
    Renewal,
    /// Does not keep the tokens, which belong to another device.
    OtherDevice,
}

impl Step {
    const fn route(operation_id: &'static str) -> Self {
        Self { operation_id, name: None, variation: Variation::Plain }
    }

    const fn named(operation_id: &'static str, name: &'static str, variation: Variation) -> Self {
        Self { operation_id, name: Some(name), variation }
    }
}

/// The collection of an OpenAPI document, for a service at a URL without a trailing slash.
pub(crate) fn collection(document: &Value, base_url: &str) -> Value {
    let routes = routes(document);
    let mut folders = vec![folder_of_steps("First steps", "The account, and a token for it.", &FIRST_STEPS, &routes)];
    for tag in document["tags"].as_array().into_iter().flatten() {
        folders.push(folder_of_tag(tag, &routes));
    }
    folders.push(folder_of_steps("Last steps", "Afterwards all is as it was.", &LAST_STEPS, &routes));
    json!({
        "info": { "name": at(document, "/info/title"), "description": DESCRIPTION, "schema": FORMAT },
        "auth": { "type": "oauth2", "oauth2": authorization() },
        "variable": variables(base_url),
        "item": folders,
    })
}

/// The contents of Postman's *Authorization* tab. The token is the one that the request *Log in* stored; *Get New
/// Access Token* and its refresh work too.
fn authorization() -> Value {
    let members = [
        ("grant_type", "password_credentials"),
        ("accessTokenUrl", "{{baseUrl}}/login"),
        ("refreshTokenUrl", "{{baseUrl}}/login"),
        ("username", "{{username}}"),
        ("password", "{{password}}"),
        ("clientId", "{{client_id}}"),
        ("clientSecret", "{{client_secret}}"),
        ("scope", ""),
        ("client_authentication", "body"),
        ("tokenName", "Keyfob"),
        ("accessToken", "{{access_token}}"),
        ("tokenType", "bearer"),
        ("addTokenTo", "header"),
        ("headerPrefix", "Bearer"),
    ];
    members.map(|(key, value)| json!({ "key": key, "value": value, "type": "string" })).into_iter().collect()
}

fn variables(base_url: &str) -> Value {
    let variables = [
        ("baseUrl", base_url),
        ("username", "ada@example.com"),
        ("password", "correct horse battery staple"),
        ("new_password", "{{password}}"),
        ("new_email", "{{username}}"),
        ("client_id", "keyfob"),
        ("client_secret", ""),
        ("access_token", ""),
        ("refresh_token", ""),
        ("scope", ""),
        ("user_id", "1"),
        ("managed_user_id", "0"),
        ("managed_email", "grace@example.com"),
        ("post_id", "1"),
        ("session_id", "1"),
        ("reset_token", ""),
        ("verification_token", ""),
        ("sign_up_token", ""),
        ("invitation_token", ""),
        ("email_change_token", ""),
        ("email_undo_token", ""),
    ];
    variables.map(|(key, value)| json!({ "key": key, "value": value, "type": "string" })).into_iter().collect()
}

fn folder_of_steps(name: &str, description: &str, steps: &[Step], routes: &[Route<'_>]) -> Value {
    let items: Vec<Value> = steps.iter().filter_map(|step| item_of_step(step, routes)).collect();
    json!({ "name": name, "description": description, "item": items })
}

fn folder_of_tag(tag: &Value, routes: &[Route<'_>]) -> Value {
    let framing = || FIRST_STEPS.iter().chain(&LAST_STEPS);
    let is_elsewhere = |route: &Route<'_>| framing().any(|step| step.operation_id == route.id());
    let mut own: Vec<_> = routes.iter().filter(|route| route.tag() == tag["name"] && !is_elsewhere(route)).collect();
    own.sort_by_key(|route| route.rank());
    let mut items = Vec::new();
    for route in own {
        let before = SECOND_USES.iter().filter(|(before, _)| *before == route.id());
        items.extend(before.filter_map(|(_, step)| item_of_step(step, routes)));
        items.push(item(route, route.summary(), Variation::Plain));
    }
    json!({ "name": tag["name"], "description": tag["description"], "item": items })
}

fn item_of_step(step: &Step, routes: &[Route<'_>]) -> Option<Value> {
    let route = routes.iter().find(|route| route.id() == step.operation_id)?;
    Some(item(route, step.name.unwrap_or(route.summary()), step.variation))
}

fn item(route: &Route<'_>, name: &str, variation: Variation) -> Value {
    let test = json!({ "listen": "test", "script": {
        "type": "text/javascript", "exec": script::lines(route, variation),
    }});
    let item = json!({
        "name": name,
        "event": [test],
        "request": request::request(route, variation),
        "response": [],
    });
    let is_redirect = (300..400).contains(&route.success().0);
    with(item, "protocolProfileBehavior", is_redirect.then(|| json!({ "followRedirects": false })))
}
