//! The routes of the audit trail.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use utoipa_actix_web::service_config::ServiceConfig;

use super::model::{ActivityQuery, AuditQuery, EventPage, shown_to_owner};
use crate::audit::Event;
use crate::audit::store::{Filter, list_events};
use crate::db::page::{Page, next_cursor};
use crate::db::{Db, StoreError};
use crate::guard::CurrentUser;
use crate::http::Query;
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::tokens::scopes;

type Owner = CurrentUser<scopes::Profile>;
type Admin = CurrentUser<scopes::Admin>;

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list_activity).service(list_audit);
}

/// List activity
///
/// What happened to the current user's account, newest first: logins, refused logins and passwords, ended sessions
/// and changes. What was refused is listed some seconds later, and many of them as one event with their `count`.
#[utoipa::path(tag = "accounts", params(Owner, ActivityQuery), responses((status = 200, description = "A page of events.", body = EventPage)))]
#[get("/me/activity")]
pub(super) async fn list_activity(
    user: Owner,
    query: Query<ActivityQuery>,
    db: Data<Db>,
) -> Result<HttpResponse, ApiError> {
    let (owner, ActivityQuery { limit, after }) = (user.id(), query.0);
    let filter = Filter { user_id: Some(owner), ..Filter::default() };
    let mut page = read(&db, filter, Page { limit, after }).await?;
    page.items = page.items.into_iter().map(|event| shown_to_owner(event, owner)).collect();
    Ok(json(&mut HttpResponse::Ok(), &page))
}

/// List the audit trail
///
/// The events of all accounts, clients and keys, newest first.
#[utoipa::path(tag = "administration", params(Admin, AuditQuery), responses((status = 200, description = "A page of events.", body = EventPage)))]
#[get("/audit")]
pub(super) async fn list_audit(
    _admin: Admin,
    query: Query<AuditQuery>,
    db: Data<Db>,
) -> Result<HttpResponse, ApiError> {
    let AuditQuery { limit, after, .. } = query.0;
    let page = read(&db, query.0.filter(), Page { limit, after }).await?;
    Ok(json(&mut HttpResponse::Ok(), &page))
}

async fn read(db: &Db, filter: Filter, page: Page) -> Result<EventPage, StoreError> {
    let mut items = db.read(move |conn| list_events(conn, filter, page)).await?;
    let next_cursor = next_cursor(&mut items, page.limit, |event: &Event| event.id);
    Ok(EventPage { items, next_cursor })
}
