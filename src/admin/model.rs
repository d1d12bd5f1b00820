//! What the routes for admins take and return.

use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::accounts::User;
use crate::accounts::admins::search::Part;
use crate::accounts::model::{Email, FullName};
use crate::db::Id;
use crate::db::page::Page;
use crate::fields::{Change, Field, Fields, FromFields, Rejection, text_of_length};
use crate::passwords::{ChosenPassword, NewPassword};
use crate::sessions::acts::Changes;

/// The default page size.
const DEFAULT_LIMIT: i64 = 20;
/// The longest part of an address to look for, in characters.
const MAX_PART_CHARS: usize = 254;

/// A page of accounts, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserPage {
    /// The accounts.
    pub items: Vec<User>,
    /// Pass it as `cursor` to get the next page; `null` on the last page.
    #[schema(example = "MQ", required)]
    pub next_cursor: Option<String>,
}

/// A part of an e-mail address, in any case. The empty part is in every address.
#[derive(Clone, Debug)]
pub(super) struct EmailPart(String);

impl Field for EmailPart {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        text_of_length(value, 0, MAX_PART_CHARS).map(|text| Self(text.to_owned()))
    }
}

/// Which page of accounts, and of which.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UserQuery {
    /// Maximum number of accounts, 1 to 100. Default: 20.
    #[param(required = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: i64,
    /// The `next_cursor` of the previous page.
    #[param(rename = "cursor", value_type = Option<String>)]
    pub after: Option<Id>,
    /// Only accounts whose e-mail address has this part, in any case.
    #[param(value_type = Option<String>, max_length = 254)]
    pub email: Option<EmailPart>,
}

impl FromFields for UserQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (page, email) = (Page::read(fields, DEFAULT_LIMIT), fields.optional("email"));
        let Page { limit, after } = page?;
        Some(Self { limit, after, email: email? })
    }
}

impl UserQuery {
    pub(super) fn page(&self) -> Page {
        Page { limit: self.limit, after: self.after }
    }

    /// What to look for, if anything.
    pub(super) fn part(&self) -> Option<Part> {
        self.email.as_ref().and_then(|EmailPart(typed)| Part::of(typed))
    }
}

/// An account to create.
#[derive(ToSchema)]
#[schema(as = NewUser, example = json!({
    "email": "grace@example.com", "password": "correct horse battery staple", "full_name": "Grace Hopper",
    "is_admin": false, "email_verified": false,
}))]
pub(super) struct UserCreation {
    /// The e-mail address to log in with; neither its case nor its Unicode form matters.
    pub email: Email,
    /// 8 to 72 bytes in UTF-8. What is easy to guess, or contains the name or the e-mail address, is refused. Without one,
    /// nobody can log in until the owner has set one by a reset link.
    #[schema(value_type = Option<NewPassword>)]
    pub password: Option<ChosenPassword>,
    /// The display name.
    pub full_name: Option<FullName>,
    /// Whether the account may have the scope `admin`. Default: false.
    pub is_admin: Option<bool>,
    /// Whether the owner has verified the e-mail address. Default: false.
    pub email_verified: Option<bool>,
}

impl FromFields for UserCreation {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email: Option<Email> = fields.required("email");
        let password: Option<Option<NewPassword>> = fields.optional("password");
        let full_name: Option<Option<FullName>> = fields.optional("full_name");
        let (is_admin, email_verified) = (fields.optional("is_admin"), fields.optional("email_verified"));
        let (email, password) = (email?, password?);
        let name = full_name.iter().flatten().next().map(FullName::as_str);
        let chosen = password.map(|password| ChosenPassword::of(email.as_str(), name, password)).transpose();
        let password = match chosen {
            Ok(password) => password,
            Err(rejection) => return fields.refuse("password", rejection),
        };
        let (full_name, is_admin) = (full_name?, is_admin?);
        Some(Self { email, password, full_name, is_admin, email_verified: email_verified? })
    }
}

/// Changes to an account. Absent fields keep their value.
#[derive(Debug, ToSchema)]
#[schema(as = UserChange, example = json!({ "full_name": "Grace Hopper", "email_verified": true }))]
pub(super) struct UserUpdate {
    /// Whether the account can log in and use its tokens. `false` ends its sessions.
    #[schema(value_type = bool, required = false)]
    is_active: Option<bool>,
    /// Whether the account may have the scope `admin`. `false` ends its sessions.
    #[schema(value_type = bool, required = false)]
    is_admin: Option<bool>,
    /// The new name; `null` clears it.
    #[schema(value_type = Option<FullName>)]
    full_name: Change<FullName>,
    /// Whether the owner has verified the e-mail address.
    #[schema(value_type = bool, required = false)]
    email_verified: Option<bool>,
}

impl FromFields for UserUpdate {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (is_active, is_admin) = (fields.replacement("is_active"), fields.replacement("is_admin"));
        let (full_name, email_verified) = (fields.change("full_name"), fields.replacement("email_verified"));
        let (is_active, is_admin) = (is_active?, is_admin?);
        Some(Self { is_active, is_admin, full_name: full_name?, email_verified: email_verified? })
    }
}

impl From<UserUpdate> for Changes {
    fn from(update: UserUpdate) -> Self {
        let UserUpdate { is_active, is_admin, full_name, email_verified } = update;
        let full_name = match full_name {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Clear,
            Change::Set(name) => Change::Set(name.into_string()),
        };
        Self { is_active, is_admin, email_verified, full_name }
    }
}
