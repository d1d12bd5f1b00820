//! A route, as the OpenAPI document describes it.

use serde_json::{Map, Value};

/// One operation of the document.
pub(super) struct Route<'a> {
    pub(super) method: String,
    pub(super) path: &'a str,
    pub(super) operation: &'a Value,
    pub(super) schemas: &'a Value,
}

/// Every operation of the document.
pub(super) fn routes(document: &Value) -> Vec<Route<'_>> {
    let schemas = at(document, "/components/schemas");
    let paths = members(&document["paths"]);
    let operations = paths.flat_map(|(path, item)| members(item).map(move |one| (path, one)));
    operations
        .filter(|(_, (_, operation))| operation["operationId"].is_string())
        .map(|(path, (method, operation))| Route { method: method.to_uppercase(), path, operation, schemas })
        .collect()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

impl<'a> Route<'a> {
    pub(super) fn id(&self) -> &'a str {
        self.operation["operationId"].as_str().unwrap_or_default()
    }

    pub(super) fn summary(&self) -> &'a str {
        self.operation["summary"].as_str().unwrap_or_default()
    }

    pub(super) fn tag(&self) -> &'a str {
        at(self.operation, "/tags/0").as_str().unwrap_or_default()
    }

    /// Its position in its folder: create, read, change, then delete, and parts before the whole.
    pub(super) fn rank(&self) -> (usize, usize) {
        let methods = ["POST", "GET", "PUT", "PATCH", "DELETE"];
        let method = methods.iter().position(|method| *method == self.method).unwrap_or(methods.len());
        let depth = self.path.split('/').count();
        (method, if self.method == "DELETE" { usize::MAX - depth } else { 0 })
    }

    /// The scope that its token must have; `None`: anyone may use it.
    pub(super) fn scope(&self) -> Option<&'a str> {
        let requirement = at(self.operation, "/security/0").as_object()?;
        requirement.values().next()?[0].as_str()
    }

    /// The status of success and its response.
    pub(super) fn success(&self) -> (u16, &'a Value) {
        let responses = members(&self.operation["responses"]);
        let mut known = responses.filter_map(|(status, response)| Some((status.parse().ok()?, response)));
        known.find(|(status, _)| *status < 400 && *status != 304).unwrap_or((200, &Value::Null))
    }

    /// The content type and the schema of the response of success.
    pub(super) fn success_content(&self) -> Option<(&'a String, &'a Value)> {
        let (_, response) = self.success();
        let (content_type, content) = response["content"].as_object()?.iter().next()?;
        Some((content_type, &content["schema"]))
    }

    /// The content type and the schema of its body.
    pub(super) fn body(&self) -> Option<(&'a String, &'a Value)> {
        let (content_type, content) = at(self.operation, "/requestBody/content").as_object()?.iter().next()?;
        Some((content_type, &content["schema"]))
    }

    /// A schema's members, and the names of the required ones.
    pub(super) fn members_of(&self, schema: &'a Value) -> Option<(&'a Map<String, Value>, Vec<&'a str>)> {
        let schema = schema_name(schema).map_or(schema, |name| &self.schemas[name]);
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Some((schema["properties"].as_object()?, required.collect()))
    }

    /// Whether it acts on the accounts of others.
    pub(super) fn is_administration(&self) -> bool {
        self.tag() == "administration"
    }

    /// The variable for the id in its path, named after what the route returns or, failing that, after the path. An admin
    /// who runs the collection must not change their own account, nor that of a user.
    pub(super) fn id_variable(&self) -> String {
        if self.is_administration() {
            return "managed_user_id".to_owned();
        }
        let answered = self.success_content().and_then(|(_, schema)| schema_name(schema));
        let listed = || self.path.split('/').take_while(|part| !part.starts_with('{')).last();
        match answered.or_else(listed) {
            Some(name) => format!("{}_id", name.trim_end_matches('s').to_lowercase()),
            None => "id".into(),
        }
    }
}

/// The value at a JSON pointer (RFC 6901), or null.
pub(super) fn at<'a>(document: &'a Value, pointer: &str) -> &'a Value {
    document.pointer(pointer).unwrap_or(&Value::Null)
}

/// Adds the member to the object, if there is one.
pub(super) fn with(mut object: Value, name: &str, member: Option<Value>) -> Value {
    if let (Some(members), Some(member)) = (object.as_object_mut(), member) {
        members.insert(name.to_owned(), member);
    }
    object
}

/// The name of the schema in a reference.
fn schema_name(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}
