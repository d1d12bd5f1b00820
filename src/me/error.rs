//! Turns the domain's errors into responses.

use crate::attempts::TooMany;
use crate::guard::AuthError;
use crate::http::error::ApiError;
use crate::http::failure::Failure;
use crate::passwords::{Busy, NotHashed};
use crate::sessions::end::CallerGone;

impl From<Busy> for ApiError {
    fn from(Busy { retry_after_seconds }: Busy) -> Self {
        Failure::Busy { retry_after_seconds }.into()
    }
}

impl NotHashed {
    /// The response, if the password came in that field of the body.
    pub(crate) fn in_field(self, name: &str) -> ApiError {
        match self {
            Self::Busy(busy) => busy.into(),
            Self::Refused(rejection) => ApiError::refused(name, rejection),
            Self::Unreadable(cause) => Failure::Unavailable(format!("password.breached_file: {cause}")).into(),
        }
    }
}

impl From<CallerGone> for ApiError {
    fn from(gone: CallerGone) -> Self {
        match gone {
            CallerGone::Account => AuthError::AccountGone.into(),
            CallerGone::Session => AuthError::Invalid.into(),
            CallerGone::Rights => AuthError::InsufficientScope("admin").into(),
        }
    }
}

impl From<TooMany> for ApiError {
    fn from(TooMany { retry_after_seconds }: TooMany) -> Self {
        Failure::TooManyAttempts { retry_after_seconds }.into()
    }
}
