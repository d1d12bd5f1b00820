//! What the `OpenAPI` document says of bodies, held against real requests and answers.

use serde_json::{Value, json};

use crate::docs::{concrete, document, examples, operations};
use crate::support::{Answer, Client, Server};

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
    let bob = server.sign_up("bob@example.com");
    let mut count = 0;
    for (method, path, operation) in operations(&document(&server)) {
        let content = &operation["responses"]["422"]["content"]["application/problem+json"];
        for fault in examples(content).iter().flat_map(|example| example["errors"].as_array().expect("errors")) {
            let problem = send_faulty(&bob, &method, &path, fault).expect_error(422);
            let answered = problem["errors"].as_array().expect("errors");
            assert!(answered.contains(fault), "{method} {path}: {fault} is not among {answered:?}");
            count += 1;
        }
    }
    assert!(count >= 12, "{count} examples only");
}
