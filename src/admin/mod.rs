//! What admins do: find accounts, create, change and delete them, and end their sessions. One file per use case.

mod create;
mod model;
mod sessions;
mod users;

use utoipa_actix_web::service_config::ServiceConfig;

use crate::guard::CurrentUser;
use crate::tokens::scopes;

/// Who may use these routes.
type Admin = CurrentUser<scopes::Admin>;

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(users::list_users)
        .service(create::create_user)
        .service(users::read_user)
        .service(users::update_user)
        .service(users::delete_user)
        .service(sessions::list_user_sessions)
        .service(sessions::end_user_sessions);
}
