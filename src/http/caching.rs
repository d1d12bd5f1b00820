//! Responses that no cache may store, not even the browser's (RFC 9111 §5.2.2.5).

/// The first path segments whose responses, errors included, hold personal data or tokens. They apply whether or not
/// such a route exists yet.
const PRIVATE: [&str; 12] = [
    "login",
    "signup",
    "revoke",
    "introspect",
    "me",
    "profile",
    "users",
    "audit",
    "password-reset",
    "email-verification",
    "email-change",
    "invitation",
];

/// Whether responses at a path get `Cache-Control: no-store`.
pub(crate) fn is_private(path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    PRIVATE.iter().filter_map(|first| path.strip_prefix(first)).any(|rest| rest.is_empty() || rest.starts_with('/'))
}
