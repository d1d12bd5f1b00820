//! Everything that is kept about the caller.

use std::sync::Arc;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, get};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Caller;
use crate::accounts::model::User;
use crate::audit::{EventType, NewEvent, Origin, insert_event};
use crate::db::page::Page;
use crate::db::{Conn, Db, Id, StoreError, Timestamp};
use crate::exports::{Batch, Export, Exported, Part};
use crate::http::error::ApiError;
use crate::http::failure::Failure;
use crate::http::shares::{SMALL_BYTES, Share};
use crate::sessions::Sessions;
use crate::sessions::store::list_all_sessions;

/// What an export may hold in memory: a batch of the largest posts.
const HELD_BYTES: usize = 2 * 1024 * 1024;
/// Sessions to read at a time.
const BATCH: i64 = 100;

/// The sessions of an account, those that have ended too, as long as they are kept.
pub(crate) const SESSIONS: Part = Part { name: "sessions", tables: &["sessions"], list: list_sessions };

fn list_sessions(conn: &mut Conn, owner: Id, after: Option<Id>) -> Result<Batch, StoreError> {
    let page = Page { limit: BATCH, after };
    let rows = list_all_sessions(conn, owner, page)?;
    Ok(Batch::of(
        page,
        rows,
        |row| row.id,
        |row| {
            json!({
                "id": row.id,
                "client_id": row.client_id,
                "scope": row.scope,
                "user_agent": row.user_agent,
                "ip": row.ip,
                "created_at": row.created_at,
                "last_used_at": row.last_used_at,
                "ends_at": row.ends_at(),
                "ended_at": row.revoked_at,
            })
        },
    ))
}

/// Everything that is kept about an account. It holds no secrets.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(super) struct AccountExport {
    /// The format of the document.
    #[schema(example = "keyfob-export-1")]
    format: String,
    /// When it was made, UTC.
    exported_at: Timestamp,
    /// The account.
    user: User,
    /// Its sessions, newest first, those that have ended too.
    #[schema(value_type = Vec<Object>, example = json!([{ "id": 1, "client_id": "keyfob", "ip": "127.0.0.1" }]))]
    sessions: Vec<Value>,
    /// The links that were made and not used: what for, and from when to when they are good.
    #[schema(value_type = Vec<Object>, example = json!([{ "purpose": "password_reset" }]))]
    one_time_tokens: Vec<Value>,
    /// The mails of the last days, without what they say.
    #[schema(value_type = Vec<Object>, example = json!([{ "kind": "email_verification", "is_sent": true }]))]
    mails: Vec<Value>,
    /// Its posts, newest first.
    #[schema(value_type = Vec<Object>, example = json!([{ "id": 1, "title": "On the Analytical Engine" }]))]
    posts: Vec<Value>,
    /// What happened to it, newest first, as in its activity.
    #[schema(value_type = Vec<Object>, example = json!([{ "id": 7, "type": "log_in" }]))]
    events: Vec<Value>,
}

/// Export the current user's data
///
/// Everything that is kept about the account, as one JSON document to save: the account, its sessions, posts and events, and
/// the purposes of links that were sent. It is sent piece by piece; if it ends early, it is no valid JSON.
#[utoipa::path(tag = "accounts", params(Caller), responses((
    status = 200, description = "The document.", body = AccountExport,
    headers(("Content-Disposition" = String, description = "`attachment` with a file name")),
)))]
#[get("/me/export")]
pub(super) async fn export_me(
    req: HttpRequest,
    user: Caller,
    origin: Origin,
    sessions: Data<Sessions>,
    exported: Data<Exported>,
    db: Data<Db>,
) -> Result<HttpResponse, ApiError> {
    let mut share = Share::of(&req);
    if !share.as_mut().is_none_or(|share| share.grow_to(HELD_BYTES)) {
        return Err(Failure::Busy { retry_after_seconds: 1 }.into());
    }
    let now = Timestamp::now();
    let event = NewEvent::new(EventType::Exported, &user.source(origin), now).of(user.id());
    let record = move |conn: &mut Conn, row| insert_event(conn, &event).map(|()| row);
    let account = User::from(sessions.write_as(user.caller(), record).await??);
    let export = Export::new(&db, user.id(), &account, &exported, now);
    let sending = Sending {
        export,
        sessions: sessions.into_inner(),
        session_id: user.session_id(),
        unsent: Bytes::new(),
        _share: share,
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"keyfob-export.json\""))
        .streaming(sending.pieces()))
}

/// A document on its way.
struct Sending {
    export: Export,
    sessions: Arc<Sessions>,
    session_id: Id,
    unsent: Bytes,
    _share: Option<Share>,
}

impl Sending {
    /// The document in small pieces. It is read no faster than the client takes it.
    fn pieces(self) -> impl Stream<Item = Result<Bytes, ApiError>> {
        unfold(Some(self), async |sending| {
            let mut sending = sending?;
            match sending.piece().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(sending))),
                Ok(None) => None,
                // The status is sent already, so the client sees a document that ends early.
                Err(error) => {
                    tracing::warn!(cause = %error, "an export ended early");
                    Some((Err(error), None))
                }
            }
        })
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, ApiError> {
        while self.unsent.is_empty() {
            // The session may have ended meanwhile, and the account with it.
            if self.sessions.has_ended(self.session_id) {
                return Err(crate::guard::AuthError::Invalid.into());
            }
            match self.export.next().await? {
                Some(text) => self.unsent = text.into(),
                None => return Ok(None),
            }
        }
        Ok(Some(self.unsent.split_to(self.unsent.len().min(SMALL_BYTES))))
    }
}
