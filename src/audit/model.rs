//! An event: what happened, when, to which account, and who did it.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::source::Source;
use crate::db::{Id, Timestamp};
use crate::fields::{Field, Rejection, text};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum EventType {
    LogIn,
    LogInRefused,
    /// A wrong password where an action of the logged-in account needs it.
    PasswordRefused,
    LogOut,
    /// A refresh token was used again after its successor, and its session ended.
    RefreshReused,
    SessionEnded,
    SignedUp,
    /// An account was created by an admin or a command.
    UserCreated,
    /// An admin changed something that has no type of its own.
    UserChanged,
    PasswordChanged,
    /// An admin or a command made a link that resets the password.
    ResetLinkMade,
    PasswordReset,
    EmailChanged,
    EmailVerified,
    UserDisabled,
    UserEnabled,
    AdminGranted,
    AdminRevoked,
    UserDeleted,
    KeyRotated,
    ClientAdded,
    ClientRemoved,
}

impl EventType {
    pub(crate) const ALL: [Self; 22] = [
        Self::LogIn,
        Self::LogInRefused,
        Self::PasswordRefused,
        Self::LogOut,
        Self::RefreshReused,
        Self::SessionEnded,
        Self::SignedUp,
        Self::UserCreated,
        Self::UserChanged,
        Self::PasswordChanged,
        Self::ResetLinkMade,
        Self::PasswordReset,
        Self::EmailChanged,
        Self::EmailVerified,
        Self::UserDisabled,
        Self::UserEnabled,
        Self::AdminGranted,
        Self::AdminRevoked,
        Self::UserDeleted,
        Self::KeyRotated,
        Self::ClientAdded,
        Self::ClientRemoved,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::LogIn => "log_in",
            Self::LogInRefused => "log_in_refused",
            Self::PasswordRefused => "password_refused",
            Self::LogOut => "log_out",
            Self::RefreshReused => "refresh_reused",
            Self::SessionEnded => "session_ended",
            Self::SignedUp => "signed_up",
            Self::UserCreated => "user_created",
            Self::UserChanged => "user_changed",
            Self::PasswordChanged => "password_changed",
            Self::ResetLinkMade => "reset_link_made",
            Self::PasswordReset => "password_reset",
            Self::EmailChanged => "email_changed",
            Self::EmailVerified => "email_verified",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
            Self::AdminGranted => "admin_granted",
            Self::AdminRevoked => "admin_revoked",
            Self::UserDeleted => "user_deleted",
            Self::KeyRotated => "key_rotated",
            Self::ClientAdded => "client_added",
            Self::ClientRemoved => "client_removed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Field for EventType {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        let refused =
            || Rejection::new("enum", format!("Input should be one of: {}", Self::ALL.map(Self::as_str).join(", ")));
        Self::parse(text(value)?).ok_or_else(refused)
    }
}

/// An event, as its account's owner and admins see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": 7, "type": "log_in", "at": "2026-11-21T20:58:00Z", "user_id": 1, "actor_id": 1, "ip": "127.0.0.1",
    "user_agent": "Mozilla/5.0", "client_id": "keyfob", "session_id": 3, "request_id": "8f0c6c1d2b7e4a39",
    "details": { "sessions_ended": 1 },
}))]
pub(crate) struct Event {
    /// The event's id; never reused.
    pub id: Id,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "log_in")]
    pub kind: String,
    /// When it happened, UTC.
    pub at: Timestamp,
    /// The account that it happened to, if there is one.
    #[schema(required)]
    pub user_id: Option<Id>,
    /// The account that did it; `null` if that is not known, or not an account.
    #[schema(required)]
    pub actor_id: Option<Id>,
    /// The IP address of the request.
    #[schema(example = "127.0.0.1", required)]
    pub ip: Option<String>,
    /// The `User-Agent` header of the request.
    #[schema(example = "Mozilla/5.0", required)]
    pub user_agent: Option<String>,
    /// The client that sent the request, or that was added or removed.
    #[schema(example = "keyfob", required)]
    pub client_id: Option<String>,
    /// The session that began or ended, or else the one that the request belongs to.
    #[schema(required)]
    pub session_id: Option<Id>,
    /// The `x-request-id` of the request.
    #[schema(example = "8f0c6c1d2b7e4a39", required)]
    pub request_id: Option<String>,
    /// More about it, such as the `reason` of a refusal.
    #[schema(value_type = Object, example = json!({ "sessions_ended": 1 }))]
    pub details: Map<String, Value>,
}

/// An event to record.
#[derive(Clone, Debug)]
pub(crate) struct NewEvent {
    pub(super) kind: EventType,
    pub(super) at: Timestamp,
    pub(super) user_id: Option<Id>,
    pub(super) source: Source,
    pub(super) details: Map<String, Value>,
}

impl NewEvent {
    pub(crate) fn new(kind: EventType, source: &Source, now: Timestamp) -> Self {
        let mut event = Self { kind, at: now, user_id: None, source: source.clone(), details: Map::new() };
        if let Some(program) = source.program {
            event.details.insert("by".to_owned(), program.into());
        }
        event
    }

    /// The account that it happened to.
    pub(crate) fn of(self, user_id: Id) -> Self {
        Self { user_id: Some(user_id), ..self }
    }

    /// The account that it happened to, which also did it.
    pub(crate) fn by_owner(mut self, user_id: Id) -> Self {
        self.source.actor_id = Some(user_id);
        self.of(user_id)
    }

    /// The session that began or ended, if that is not the one of the source.
    pub(crate) fn in_session(mut self, id: Id) -> Self {
        self.source.session_id = Some(id);
        self
    }

    /// Something more. Never a secret, and nothing that strangers can choose.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}
