//! Why a session cannot begin or continue.

use crate::clients::ClientError;
use crate::db::StoreError;
use crate::tokens::keys::KeyError;

/// Why a session was not begun or renewed.
#[derive(Debug)]
pub(crate) enum SessionError {
    /// The account is gone or disabled.
    NoAccount,
    /// The refresh token is unknown, used, expired, revoked or another client's.
    InvalidRefreshToken,
    /// None of the requested scopes is allowed for this user and client.
    NoScopeLeft,
    /// A refresh requests more than was granted.
    WiderScope,
    /// The client was removed or changed, or may no longer use the grant.
    Client(ClientError),
    /// The database failed.
    Store(StoreError),
    /// A token could not be made.
    Key(KeyError),
}

impl From<ClientError> for SessionError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<KeyError> for SessionError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}
