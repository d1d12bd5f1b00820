//! Documents that NUL is refused ([`crate::fields::text`]) in texts of JSON bodies, paths and queries. A form accepts
//! NUL like any other character, but no name, token or scope contains it.

use std::collections::BTreeSet;

use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{Components, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};

/// Any characters but NUL. ECMA-262, Python, Java and RE2 all read `\x00`; the last does not know `\u0000`.
const NO_NUL: &str = r"^[^\x00]*$";

/// Restricts the texts of an operation's path and query.
pub(super) fn restrict_parameters(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && matches!(parameter.parameter_in, ParameterIn::Path | ParameterIn::Query)
        {
            parameter.schema.iter_mut().for_each(restrict);
        }
    }
}

/// Restricts the texts of JSON bodies, given by their schema names.
pub(super) fn restrict_bodies(names: &BTreeSet<String>, components: &mut Components) {
    for (_, schema) in components.schemas.iter_mut().filter(|(name, _)| names.contains(*name)) {
        if let RefOr::T(Schema::Object(object)) = schema {
            object.properties.values_mut().for_each(restrict);
        }
    }
}

/// The schema name of an operation's JSON body.
pub(super) fn json_body(operation: &Operation) -> Option<String> {
    let RefOr::T(body) = operation.request_body.as_ref()? else { return None };
    let RefOr::T(content) = body.content.get("application/json")? else { return None };
    let Some(RefOr::Ref(Ref { ref_location, .. })) = &content.schema else { return None };
    ref_location.rsplit('/').next().map(str::to_owned)
}

fn restrict(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    let is_text = match &object.schema_type {
        SchemaType::Type(one) => *one == Type::String,
        SchemaType::Array(types) => types.contains(&Type::String),
        SchemaType::AnyValue => false,
    };
    if is_text {
        object.pattern.get_or_insert_with(|| NO_NUL.to_owned());
    }
}
