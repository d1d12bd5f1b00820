//! Links that act on an account: they reset its password, confirm its e-mail address, or change the address and undo that;
//! with the mails that bring them.

mod email_change;
mod email_undo;
mod email_verification;
pub(crate) mod mails;
mod password_reset;
mod presenter;
mod requests;
mod reset_link;

use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(requests::request_password_reset)
        .service(requests::request_email_verification)
        .service(password_reset::open_password_reset)
        .service(password_reset::confirm_password_reset)
        .service(email_verification::open_email_verification)
        .service(email_verification::confirm_email_verification)
        .service(email_change::open_email_change)
        .service(email_change::confirm_email_change)
        .service(email_undo::open_email_undo)
        .service(email_undo::undo_email_change)
        .service(reset_link::create_reset_link);
}
