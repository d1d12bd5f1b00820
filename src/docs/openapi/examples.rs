//! The examples of responses.

use actix_web::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Operation;

use crate::http::problem::{CONTENT_TYPE, Problem};

/// Gives each response an example, from the examples of its schema's members or from its status and description.
pub(super) fn add_examples(operation: &mut Operation, schemas: &Value) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let (status, description) = (status.parse().unwrap_or_default(), &response.description);
        for (content_type, content) in &mut response.content {
            let RefOr::T(content) = content else { continue };
            let schema = serde_json::to_value(&content.schema).unwrap_or_default();
            content.example.get_or_insert_with(|| match content_type.as_str() {
                CONTENT_TYPE => problem_example(status, description),
                _ => example_of(&schema, schemas),
            });
        }
    }
}

pub(super) fn problem_example(status: u16, detail: &str) -> Value {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    serde_json::to_value(Problem::new(status, detail)).unwrap_or_default()
}

/// Resolves a reference to its schema.
pub(super) fn resolve<'a>(schema: &'a Value, schemas: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    name.map_or(schema, |name| &schemas[name])
}

/// The example of a schema, or one composed of its members' examples.
pub(crate) fn example_of(schema: &Value, schemas: &Value) -> Value {
    let schema = resolve(schema, schemas);
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    match (schema["properties"].as_object(), schema.get("items")) {
        (Some(members), _) => {
            members.iter().map(|(name, member)| (name.clone(), example_of(member, schemas))).collect()
        }
        (None, Some(item)) => json!([example_of(item, schemas)]),
        (None, None) => Value::Null,
    }
}
