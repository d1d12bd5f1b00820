//! Sign-up, profiles, and the caller's own account and sessions. One file per use case, with its input and its handler.

mod account;
mod confirmation;
mod email;
mod error;
pub(crate) mod export;
mod invitation;
pub(crate) mod mails;
mod owner;
mod password;
mod profile;
mod registry;
mod sessions;
mod sign_up;

use utoipa_actix_web::service_config::ServiceConfig;

use crate::guard::CurrentUser;
use crate::tokens::scope::Scope;
use crate::tokens::scopes;

pub(crate) const SCOPE: Scope =
    Scope { name: "profile", description: "Read and change your account", is_for_admins: false };

/// Who may use these routes, other than sign-up.
type Caller = CurrentUser<scopes::Profile>;

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(sign_up::sign_up)
        .service(confirmation::open_sign_up)
        .service(confirmation::confirm_sign_up)
        .service(invitation::open_invitation)
        .service(invitation::accept_invitation)
        .service(profile::read_profile)
        .service(account::read_me)
        .service(account::update_me)
        .service(account::delete_me)
        .service(export::export_me)
        .service(password::change_password)
        .service(email::change_email)
        .service(sessions::list_sessions)
        .service(sessions::end_session)
        .service(sessions::end_other_sessions);
}
