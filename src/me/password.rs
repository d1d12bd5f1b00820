//! The caller's password.

use actix_web::{HttpResponse, post};
use utoipa::ToSchema;

use super::Caller;
use super::owner::{Owner, TypedPassword};
use crate::accounts::store;
use crate::audit::{EventType, NewEvent, insert_event};
use crate::db::Conn;
use crate::fields::{Fields, FromFields};
use crate::http::Json;
use crate::http::error::ApiError;
use crate::mail::{Kind, NewMail};
use crate::passwords::{ChosenPassword, NewPassword};

/// A new password, confirmed with the current one.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "current_password": "correct horse battery staple", "new_password": "even longer horse battery staple",
}))]
pub(super) struct PasswordChange {
    /// The current password.
    current_password: TypedPassword,
    /// 8 to 72 bytes in UTF-8. What is easy to guess, or contains the name or the e-mail address, is refused.
    new_password: NewPassword,
}

impl FromFields for PasswordChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (current_password, new_password) = (fields.required("current_password"), fields.required("new_password"));
        Some(Self { current_password: current_password?, new_password: new_password? })
    }
}

/// Change the password
///
/// Ends all other sessions. The owner is told by mail.
#[utoipa::path(tag = "accounts", params(Caller), responses((status = 204, description = "The password is changed."), (status = 429, description = "Too many attempts.")))]
#[post("/me/password")]
pub(super) async fn change_password(owner: Owner, body: Json<PasswordChange>) -> Result<HttpResponse, ApiError> {
    let row = owner.find().await?;
    let Json(PasswordChange { current_password, new_password }) = body;
    let chosen = ChosenPassword::of(&row.email, row.full_name.as_deref(), new_password);
    let chosen = chosen.map_err(|rejection| ApiError::refused("new_password", rejection))?;
    owner.confirm(&row, &current_password).await?;
    let hashed = owner.passwords.hash(chosen, owner.address).await;
    let hash = hashed.map_err(|fault| fault.in_field("new_password"))?;
    let (id, session_id, source) = (owner.caller.user_id, owner.caller.session_id, owner.source.clone());
    let (outbox, notice) = (owner.outbox.clone(), NewMail::new(Kind::PasswordChanged, owner.language).of(id));
    let change = move |conn: &mut Conn, now| {
        store::update_password(conn, id, &hash, now)?;
        insert_event(conn, &NewEvent::new(EventType::PasswordChanged, &source, now).of(id))?;
        outbox.queue(conn, &notice, now)
    };
    owner.change(row, &current_password, Some(session_id), change).await?;
    Ok(HttpResponse::NoContent().finish())
}
