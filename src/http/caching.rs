//! Which answers no cache may keep, not even the browser's (RFC 9111 §5.2.2.5).

/// The first segment of each path whose answers hold personal data or tokens, errors included. It is looked at whether or
/// not there is such a route yet.
const PRIVATE: [&str; 7] = ["login", "revoke", "introspect", "me", "profile", "users", "audit"];

/// Whether what is answered at a path is to have `Cache-Control: no-store`.
pub(crate) fn is_private(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|first| PRIVATE.contains(&first))
}
