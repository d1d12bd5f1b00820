//! What the `OpenAPI` document says of bodies, held against real requests and answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::docs::{concrete, document, examples, follow, operations};
use crate::sign_up_modes::newest_token;
use crate::support::{Actor, Answer, Client, Home, PASSWORD, Server};

/// Sends what has the fault of an example: no fields, a number where a text belongs, nonsense in the path or the query.
fn send_faulty(client: &Client, method: &str, path: &str, fault: &Value) -> Answer {
    let (place, name) = (fault["loc"][0].as_str().expect("a place"), fault["loc"][1].as_str().expect("a name"));
    let (path, body) = match place {
        "path" => (path.replace(&format!("{{{name}}}"), "nonsense"), json!({})),
        "query" => (format!("{}?{name}=nonsense", concrete(path)), json!({})),
        _ if fault["type"] == "missing" => (concrete(path), json!({})),
        _ => (concrete(path), json!({ name: 1 })),
    };
    client.request(method, &path).json(&body).send()
}

#[test]
fn the_fault_in_the_example_of_each_422_is_one_that_the_route_answers() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let mut count = 0;
    for (method, path, operation) in operations(&document(&server)) {
        let content = &operation["responses"]["422"]["content"]["application/problem+json"];
        for fault in examples(content).iter().flat_map(|example| example["errors"].as_array().expect("errors")) {
            let problem = send_faulty(&root, &method, &path, fault).expect_error(422);
            let answered = problem["errors"].as_array().expect("errors");
            assert!(answered.contains(fault), "{method} {path}: {fault} is not among {answered:?}");
            count += 1;
        }
    }
    assert!(count >= 12, "{count} examples only");
}

/// Sends a text with a NUL character in one field or parameter, and gives whether it is refused for that.
fn is_nul_refused(client: &Client, method: &str, path: &str, place: &str, name: &str) -> bool {
    let answer = match place {
        "query" => client.request(method, &format!("{}?{name}=a%00", concrete(path))).send(),
        _ => client.request(method, &concrete(path)).json(&json!({ name: "a\0" })).send(),
    };
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().any(|error| error["loc"] == json!([place, name]) && error["type"] == "string_nul")
}

#[test]
fn every_text_says_in_its_schema_whether_a_nul_character_is_refused() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let document = document(&server);
    let is_text = |schema: &Value| schema["type"] == "string" || schema["type"] == json!(["string", "null"]);
    let mut count = 0;
    for (method, path, operation) in operations(&document) {
        let body = follow(&document, &operation["requestBody"]["content"]["application/json"]["schema"]);
        let fields =
            body["properties"].as_object().into_iter().flatten().map(|(name, schema)| ("body", name.as_str(), schema));
        let parameters = operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query");
        let parameters = parameters.map(|one| ("query", one["name"].as_str().expect("a name"), &one["schema"]));
        for (place, name, schema) in fields.chain(parameters).filter(|(_, _, schema)| is_text(schema)) {
            let says_so = schema["pattern"] == r"^[^\x00]*$";
            let is_refused = is_nul_refused(&root, &method, &path, place, name);
            assert_eq!(says_so, is_refused, "{method} {path} {place}.{name}: {schema}");
            count += usize::from(is_refused);
        }
    }
    assert!(count >= 12, "{count} texts only");
}

/// The members that each schema's values had, by the schema's name.
type Seen = BTreeMap<String, Vec<BTreeSet<String>>>;

/// Notes the members of a value and of what is within it, as far as the document names their schemas.
fn note(document: &Value, schema: &Value, value: &Value, seen: &mut Seen) {
    let target = follow(document, schema);
    if let (Some(name), Some(members)) = (schema["$ref"].as_str(), value.as_object()) {
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        seen.entry(name).or_default().push(members.keys().cloned().collect());
    }
    for (name, property) in target["properties"].as_object().into_iter().flatten() {
        note(document, property, &value[name], seen);
    }
    for item in value.as_array().into_iter().flatten() {
        note(document, &target["items"], item, seen);
    }
}

/// Answers of every operation that has a JSON body to show, with faults of each sort: method, path in the document, answer.
fn answers(server: &Server) -> Vec<(&'static str, &'static str, Answer)> {
    let account = |email: &str| json!({"email": email, "password": PASSWORD});
    let signed_up = server.post("/signup", json!({"email": "a@example.com", "password": PASSWORD, "full_name": "A"}));
    let taken = server.post("/signup", account("a@example.com"));
    let ada = server.log_in("a@example.com");
    let post = json!({"title": "t", "content": "c"});
    let own = ada.write_post("first");
    let renewal = [("grant_type", "refresh_token"), ("refresh_token", ada.grant["refresh_token"].as_str().unwrap())];
    let mut answers = vec![
        ("POST", "/signup", signed_up),
        ("POST", "/signup", taken),
        ("POST", "/signup", server.post("/signup", account("b@example.com"))),
        ("POST", "/signup", server.request("POST", "/signup").body("text/plain", "x").send()),
        ("POST", "/login", server.login(&[("username", "a@example.com"), ("password", PASSWORD)])),
        ("POST", "/login", server.login(&renewal)),
        ("POST", "/login", server.login(&[])),
        ("POST", "/posts", ada.post("/posts", post.clone())),
        ("POST", "/posts", ada.post("/posts", json!({}))),
        ("GET", "/posts", server.get("/posts")),
        ("GET", "/posts", server.get("/posts?limit=1")),
        ("GET", "/posts", server.get("/posts?limit=0")),
        ("GET", "/posts/{id}", server.get(&own)),
        ("GET", "/posts/{id}", server.get("/posts/99")),
        ("PUT", "/posts/{id}", ada.put(&own, post.clone())),
        ("PATCH", "/posts/{id}", ada.patch(&own, post)),
        ("GET", "/me", server.get("/me")),
        ("GET", "/profile/{id}", ada.get(&ada.profile_url())),
        ("GET", "/me/sessions", ada.request("GET", "/me/sessions").send()),
        ("GET", "/me/export", ada.get("/me/export")),
        ("GET", "/me/activity", ada.get("/me/activity")),
        ("GET", "/me/activity", ada.get("/me/activity?limit=1")),
        ("GET", "/audit", server.admin("eve@example.com").get("/audit")),
        ("PATCH", "/me", ada.patch("/me", json!({"full_name": null}))),
        ("GET", "/me", ada.get("/me")),
        (
            "POST",
            "/me/email",
            ada.post("/me/email", json!({"new_email": "d@example.com", "current_password": PASSWORD})),
        ),
        ("POST", "/password-reset", server.post("/password-reset", json!({"email": "a@example.com"}))),
        ("POST", "/password-reset", server.post("/password-reset", json!({}))),
        ("POST", "/email-verification", ada.post("/email-verification", json!({}))),
        ("POST", "/revoke", server.request("POST", "/revoke").form(&[("token", "x")]).send()),
    ];
    answers.extend(links(server));
    answers.extend(waiting(server));
    answers.extend(administration(server));
    for path in ["/healthz", "/readyz", "/openapi.json", "/postman.json"] {
        answers.push(("GET", path, server.get(path)));
    }
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/jwks.json"] {
        answers.push(("GET", path, server.get(path)));
    }
    answers.extend(introspections(server, &ada).map(|answer| ("POST", "/introspect", answer)));
    answers
}

/// An invitation that is accepted, and a link that an admin gets.
fn links(server: &Server) -> [(&'static str, &'static str, Answer); 3] {
    let link = server.home.run(&["user", "invite", "c@example.com"], "").expect_success();
    let token = link.trim().split_once("token=").expect("a token").1;
    let invited = json!({"token": token, "password": PASSWORD});
    let root = server.admin("root@example.com");
    [
        ("POST", "/invitation", server.post("/invitation", invited.clone())),
        ("POST", "/invitation", server.post("/invitation", invited)),
        ("POST", "/users/{id}/reset-link", root.post("/users/1/reset-link", json!({}))),
    ]
}

/// A sign-up whose address is proven before there is an account.
fn waiting(server: &Server) -> [(&'static str, &'static str, Answer); 2] {
    let settings = [("accounts.neutral_signup", "true"), ("database.url", &server.home.database.url())];
    let neutral = Server::at(Arc::new(Home::with(&settings)));
    let waits = neutral.post("/signup", json!({"email": "w@example.com", "password": PASSWORD}));
    let token = newest_token(server);
    [("POST", "/signup", waits), ("POST", "/signup/confirm", neutral.post("/signup/confirm", json!({"token": token})))]
}

/// Accounts as an admin sees and changes them.
fn administration(server: &Server) -> [(&'static str, &'static str, Answer); 7] {
    let chief = server.admin("chief@example.com");
    let created = chief.post("/users", json!({"email": "d@example.com"}));
    let path = format!("/users/{}", created.json()["id"]);
    [
        ("POST", "/users", created),
        ("POST", "/users", chief.post("/users", json!({"email": "d@example.com"}))),
        ("GET", "/users", chief.get("/users")),
        ("GET", "/users", chief.get("/users?limit=1")),
        ("GET", "/users/{id}", chief.get(&path)),
        ("PATCH", "/users/{id}", chief.patch(&path, json!({"full_name": "D", "is_active": false}))),
        ("GET", "/users/{id}/sessions", chief.get(&format!("/users/{}/sessions", chief.id()))),
    ]
}

/// What a confidential client is told of a good token and of a bad one, and anybody else.
fn introspections(server: &Server, ada: &Actor) -> [Answer; 3] {
    let added = server.home.run(&["client", "add", "--id", "shop"], "").expect_success();
    let added: Value = serde_json::from_str(&added).expect("JSON");
    let secret = added["client_secret"].as_str().expect("a secret");
    let ask = |token: &str, secret: &str| {
        let form = [("token", token), ("client_id", "shop"), ("client_secret", secret)];
        server.request("POST", "/introspect").form(&form).send()
    };
    [ask(&ada.token, secret), ask("x", secret), ask("x", "wrong")]
}

#[test]
fn the_document_requires_exactly_the_fields_that_are_always_sent() {
    let server = Server::start();
    let document = document(&server);
    let (mut seen, mut answered) = (Seen::new(), BTreeSet::new());
    for (method, path, answer) in answers(&server) {
        let response = &document["paths"][path][method.to_lowercase()]["responses"][answer.status.to_string()];
        let content = &response["content"][answer.need("content-type")];
        assert!(content["schema"].is_object(), "the document does not tell of this: {answer}");
        note(&document, &content["schema"], &answer.json(), &mut seen);
        if answer.status < 300 {
            answered.insert(format!("{method} {path}"));
        }
    }
    for (method, path, operation) in operations(&document) {
        let successes =
            operation["responses"].as_object().expect("responses").iter().filter(|(status, _)| status.starts_with('2'));
        let kinds = successes.flat_map(|(_, response)| response["content"].as_object().into_iter().flatten());
        let has_json = kinds.map(|(kind, _)| kind).any(|kind| kind.ends_with("json"));
        assert!(
            !has_json || answered.contains(&format!("{method} {path}")),
            "no answer of {method} {path} is looked at"
        );
    }
    for (name, values) in &seen {
        let schema = &document["components"]["schemas"][name];
        let known: BTreeSet<String> = schema["properties"].as_object().expect("properties").keys().cloned().collect();
        let required = schema["required"].as_array().into_iter().flatten();
        let required: BTreeSet<String> = required.map(|name| name.as_str().expect("a name").to_owned()).collect();
        let always = values.iter().cloned().reduce(|all, one| &all & &one).unwrap_or_default();
        assert_eq!(required, always, "{name}: required, and always sent");
        assert_eq!(known, values.iter().flatten().cloned().collect(), "{name}: known, and ever sent");
    }
    assert!(seen.len() >= 10, "{seen:?}");
}
