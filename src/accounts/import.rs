//! An account as described in a file from another program.

use std::collections::HashSet;

use serde_json::Value;

use super::model::{Email, FullName};
use super::store::{self, ImportedUser};
use crate::audit::{EventType, NewEvent, Source, insert_events};
use crate::db::{Conn, Id, StoreError, Timestamp};
use crate::fields::{Field, Fields, FromFields, Rejection, text};
use crate::passwords::formats::KeptHash;

/// The columns of a file; the first two are required.
pub(crate) const COLUMNS: [&str; 7] =
    ["email", "password_hash", "full_name", "is_active", "is_admin", "email_verified", "id"];
/// How many of the columns are required.
pub(crate) const REQUIRED_COLUMNS: usize = 2;

/// The largest id that can be imported: as many are left for new accounts.
const MAX_ID: i64 = 1 << 52;

/// A valid account from a file.
pub(crate) struct ForeignUser {
    pub id: Option<Id>,
    pub email: Email,
    password_hash: String,
    full_name: Option<String>,
    is_active: bool,
    is_admin: bool,
    email_verified: bool,
}

impl ForeignUser {
    /// The row to insert.
    pub(crate) fn into_row(self, now: Timestamp) -> ImportedUser {
        ImportedUser {
            id: self.id,
            email_key: self.email.key(),
            email: self.email.as_str().to_owned(),
            password_hash: self.password_hash,
            full_name: self.full_name,
            is_active: self.is_active,
            is_admin: self.is_admin,
            email_verified: self.email_verified,
            created_at: now,
            updated_at: now,
        }
    }
}

/// Inserts the accounts whose address is free and whose id was never used; a dry run only checks. Returns for each
/// account what prevents the import, if anything does.
///
/// # Errors
/// [`StoreError::Taken`] when a concurrent sign-up has taken one of the addresses: try again.
pub(crate) fn import_users(
    conn: &mut Conn,
    users: &[ImportedUser],
    is_dry_run: bool,
) -> Result<Vec<Option<&'static str>>, StoreError> {
    let keys: Vec<&str> = users.iter().map(|user| user.email_key.as_str()).collect();
    let ids: Vec<Id> = users.iter().filter_map(|user| user.id).collect();
    let taken_keys: HashSet<String> = store::list_taken_email_keys(conn, &keys)?.into_iter().collect();
    let taken_ids: HashSet<Id> = store::list_taken_ids(conn, &ids)?.into_iter().collect();
    // Read after the taken ids: an account deleted between the two queries is found by this one.
    let deleted_ids: HashSet<Id> = store::list_deleted_ids(conn, &ids)?.into_iter().collect();
    let fault = |user: &ImportedUser| match user.id {
        _ if taken_keys.contains(&user.email_key) => Some("email: an account already has it"),
        Some(id) if taken_ids.contains(&id) => Some("id: an account already has it"),
        Some(id) if deleted_ids.contains(&id) => Some("id: a deleted account had it"),
        _ => None,
    };
    let outcomes: Vec<Option<&'static str>> = users.iter().map(fault).collect();
    if !is_dry_run {
        let free = users.iter().zip(&outcomes).filter(|(_, fault)| fault.is_none());
        insert_users(conn, free.map(|(user, _)| user).collect())?;
    }
    Ok(outcomes)
}

/// Inserts accounts, and records each.
fn insert_users(conn: &mut Conn, users: Vec<&ImportedUser>) -> Result<(), StoreError> {
    let Some(now) = users.first().map(|user| user.created_at) else { return Ok(()) };
    let keys: Vec<&str> = users.iter().map(|user| user.email_key.as_str()).collect();
    store::insert_imported(conn, users)?;
    let created = NewEvent::new(EventType::UserCreated, &Source::command_line(), now).with("imported", true);
    let event = |(id, is_admin)| {
        let event = created.clone().of(id);
        if is_admin { event.with("is_admin", true) } else { event }
    };
    let events: Vec<NewEvent> = store::list_ids_and_rights(conn, &keys)?.into_iter().map(event).collect();
    insert_events(conn, &events)
}

impl FromFields for ForeignUser {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (email, password_hash) = (fields.required("email"), fields.required::<PasswordHash>("password_hash"));
        let (full_name, id) = (fields.optional::<FullName>("full_name"), fields.optional::<ForeignId>("id"));
        let mut flag = |name, default| fields.optional::<Flag>(name).map(|flag| flag.map_or(default, |flag| flag.0));
        let flags = (flag("is_active", true), flag("is_admin", false), flag("email_verified", false));
        Some(Self {
            id: id?.map(|id| id.0),
            email: email?,
            password_hash: password_hash?.0,
            full_name: full_name?.map(FullName::into_string),
            is_active: flags.0?,
            is_admin: flags.1?,
            email_verified: flags.2?,
        })
    }
}

/// Whether a text is a hash that a login can verify.
pub(crate) fn is_password_hash(text: &str) -> bool {
    KeptHash::parse(text).is_ok()
}

/// A hash that a login can verify.
struct PasswordHash(String);

impl Field for PasswordHash {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        // Databases pad columns of a fixed length with blanks.
        let text = text(value)?.trim();
        match KeptHash::parse_new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(fault) => Err(Rejection::new("value_error", fault.to_string())),
        }
    }
}

/// True or false, as spelled by JSON, Python and database exports.
struct Flag(bool);

impl Field for Flag {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        let word = match value {
            Value::Bool(flag) => return Ok(Self(*flag)),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" | "t" | "1" => Ok(Self(true)),
            "false" | "f" | "0" => Ok(Self(false)),
            _ => Err(Rejection::new("bool_parsing", "Input should be true or false")),
        }
    }
}

/// The id that an account had and keeps.
pub(crate) struct ForeignId(pub Id);

impl Field for ForeignId {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        let digits = match value {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.trim().to_owned(),
            _ => String::new(),
        };
        let id = Id::parse(&digits).filter(|id| id.get() <= MAX_ID);
        let refused = || Rejection::new("int_parsing", "Input should be a positive integer, at most 4503599627370496");
        id.map(Self).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HASH: &str = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";

    fn read(value: &Value) -> Result<ForeignUser, Vec<String>> {
        let fields = Fields::new("row", value.as_object().cloned().unwrap_or_default());
        fields.read().map_err(|faults| faults.into_iter().filter_map(|fault| fault.loc.last().cloned()).collect())
    }

    #[test]
    fn what_is_not_said_has_the_defaults_of_a_sign_up() {
        let user = read(&json!({"email": "a@example.com", "password_hash": HASH})).expect("valid");
        assert!(user.is_active && !user.is_admin && !user.email_verified);
        assert!(user.id.is_none() && user.full_name.is_none());
    }

    #[test]
    fn flags_and_ids_may_be_text_or_json() {
        for (yes, no, id) in [(json!(true), json!(false), json!(7)), (json!("t"), json!("F"), json!("7"))] {
            let user =
                json!({"email": "a@example.com", "password_hash": HASH, "is_admin": yes, "is_active": no, "id": id});
            let user = read(&user).expect("valid");
            assert!(user.is_admin && !user.is_active);
            assert_eq!(user.id.map(Id::get), Some(7));
        }
    }

    #[test]
    fn every_fault_is_named() {
        let long = "x".repeat(201);
        let user = json!({"email": "a", "password_hash": "x", "full_name": long, "is_admin": "maybe", "id": -1});
        assert_eq!(
            read(&user).map(drop).expect_err("faults"),
            ["email", "password_hash", "full_name", "id", "is_admin"]
        );
    }
}
