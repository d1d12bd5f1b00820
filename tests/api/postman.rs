//! Contract, "Docs and operations": the Postman collection. That it runs is shown in `tests/postman`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::docs::{needed_scopes, operations};
use crate::support::{Home, Server};

fn collection(server: &Server) -> Value {
    server.get("/postman.json").expect_json(200)
}

/// Every request with its name in the document: `GET /posts/{id}`.
fn requests(collection: &Value) -> Vec<(String, Value)> {
    let folders = collection["item"].as_array().expect("folders");
    let items = folders.iter().flat_map(|folder| folder["item"].as_array().expect("requests"));
    let part = |part: &Value| match part.as_str().expect("text").strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => part.as_str().expect("text").to_owned(),
    };
    items
        .map(|item| {
            let path: Vec<_> = item["request"]["url"]["path"].as_array().expect("a path").iter().map(part).collect();
            (format!("{} /{}", item["request"]["method"].as_str().expect("a method"), path.join("/")), item.clone())
        })
        .collect()
}

#[test]
fn the_collection_is_of_format_2_1_with_the_password_grant_set_up() {
    let server = Server::start();
    let collection = collection(&server);
    assert!(collection["info"]["schema"].as_str().unwrap().ends_with("/v2.1.0/collection.json"));
    assert_eq!(collection["auth"]["type"], "oauth2");
    let members = collection["auth"]["oauth2"].as_array().unwrap();
    let value = |key: &str| &members.iter().find(|member| member["key"] == key).expect(key)["value"];
    assert_eq!(value("grant_type"), "password_credentials");
    assert_eq!(value("accessTokenUrl"), "{{baseUrl}}/login");
    assert_eq!(value("accessToken"), "{{access_token}}");
    let variables: Vec<_> = collection["variable"].as_array().unwrap().iter().map(|one| &one["key"]).collect();
    for name in ["baseUrl", "username", "password"] {
        assert!(variables.iter().any(|known| *known == name), "{name} in {variables:?}");
    }
}

#[test]
fn the_collection_has_every_operation_of_the_document_and_no_other() {
    let server = Server::start();
    let document = server.get("/openapi.json").expect_json(200);
    let operations = operations(&document).into_iter().map(|(method, path, _)| format!("{method} {path}"));
    let requests = requests(&collection(&server)).into_iter().map(|(name, _)| name);
    assert_eq!(requests.collect::<BTreeSet<_>>(), operations.collect::<BTreeSet<_>>());
}

#[test]
fn only_requests_of_public_operations_send_no_token() {
    let server = Server::start();
    let requests = requests(&collection(&server));
    for (method, path, operation) in operations(&server.get("/openapi.json").expect_json(200)) {
        let is_public = needed_scopes(&operation).is_none();
        for (_, item) in requests.iter().filter(|(name, _)| *name == format!("{method} {path}")) {
            assert_eq!(item["request"]["auth"]["type"] == "noauth", is_public, "{item}");
        }
    }
}

#[test]
fn every_request_has_a_test_and_no_request_holds_a_password_of_its_own() {
    let server = Server::start();
    for (name, item) in requests(&collection(&server)) {
        let lines = item["event"][0]["script"]["exec"].as_array().expect("a script");
        assert!(lines.iter().any(|line| line.as_str().unwrap().contains("pm.test(")), "{name}");
        assert!(!item.to_string().contains("horse"), "{name}");
    }
}

#[test]
fn every_variable_of_the_collection_is_used_and_every_used_one_is_there() {
    let server = Server::start();
    let collection = collection(&server);
    let used = format!("{}{}", collection["auth"], collection["item"]).replace("\\\"", "\"");
    let variables: BTreeSet<_> =
        collection["variable"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
    for name in &variables {
        let forms = [format!("{{{{{name}}}}}"), format!(".get(\"{name}\")"), format!(".set(\"{name}\"")];
        assert!(forms.iter().any(|form| used.contains(form)), "nothing sends, asks for or keeps {name}");
    }
    for name in used.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
        assert!(variables.contains(name), "{name} in {variables:?}");
    }
}

#[test]
fn the_command_prints_the_collection_that_the_service_gives_with_the_issuer_as_its_base() {
    let home = Home::with(&[("token.issuer", "https://id.example.com/auth")]);
    let printed: Value = serde_json::from_str(&home.run(&["postman"], "").expect_success()).expect("JSON");
    assert_eq!(printed["variable"][0]["value"], "https://id.example.com/auth");
    let server = Server::at(std::sync::Arc::new(home));
    assert_eq!(printed, collection(&server));
}
