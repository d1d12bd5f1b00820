//! Schemas of single values, such as ids, times and titles. A type describes its value once, and the document repeats
//! that wherever the value is used: many tools ignore a description beside a `$ref`.

use std::collections::BTreeMap;

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{Components, Object, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};

/// The schemas of single values, by name.
pub(super) struct Values(BTreeMap<String, Object>);

impl Values {
    /// Moves the schemas of single values from the components to the fields that refer to them.
    pub(super) fn write_in_place(components: &mut Components) -> Self {
        let is_value = |object: &Object| object.schema_type != SchemaType::Type(Type::Object);
        let values = components.schemas.iter().filter_map(|(name, schema)| match schema {
            RefOr::T(Schema::Object(object)) if is_value(object) => Some((name.clone(), object.clone())),
            _ => None,
        });
        let values = Self(values.collect());
        components.schemas.retain(|name, _| !values.0.contains_key(name));
        for schema in components.schemas.values_mut() {
            if let RefOr::T(Schema::Object(object)) = schema {
                object.properties.values_mut().for_each(|property| values.write(property));
            }
        }
        values
    }

    /// As [`write_in_place`](Self::write_in_place), for the parameters of an operation. Leaves out the
    /// type's example, which Swagger UI would send even for an optional parameter.
    pub(super) fn write_in_parameters(&self, operation: &mut Operation) {
        for parameter in operation.parameters.iter_mut().flatten() {
            let RefOr::T(parameter) = parameter else { continue };
            let Some(mut value) = parameter.schema.as_ref().and_then(|schema| self.find(schema)) else { continue };
            (value.description, value.example) = (None, None);
            parameter.schema = Some(RefOr::T(Schema::Object(value)));
        }
    }

    fn write(&self, schema: &mut RefOr<Schema>) {
        if let Some(value) = self.find(schema) {
            *schema = RefOr::T(Schema::Object(value));
        }
    }

    /// The value that a reference leads to, with the description of the reference.
    fn find(&self, schema: &RefOr<Schema>) -> Option<Object> {
        match schema {
            RefOr::Ref(Ref { ref_location, description, .. }) => {
                let mut value = self.0.get(ref_location.rsplit('/').next()?)?.clone();
                if !description.is_empty() {
                    value.description = Some(description.clone());
                }
                Some(value)
            }
            // `Option<T>`: a reference, or null.
            RefOr::T(Schema::OneOf(either)) => {
                let mut value = either.items.iter().find_map(|item| self.find(item))?;
                if let SchemaType::Type(one) = value.schema_type {
                    value.schema_type = SchemaType::from_iter([one, Type::Null]);
                }
                Some(value)
            }
            RefOr::T(_) => None,
        }
    }
}
