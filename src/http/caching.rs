//! Responses that no cache may store, not even the browser's (RFC 9111 §5.2.2.5).

/// The first path segments whose responses, errors included, hold personal data or tokens. They apply whether or not
/// such a route exists yet.
const PRIVATE: [&str; 7] = ["login", "revoke", "introspect", "me", "profile", "users", "audit"];

/// Whether responses at a path get `Cache-Control: no-store`.
pub(crate) fn is_private(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|first| PRIVATE.contains(&first))
}
