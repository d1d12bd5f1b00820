//! The names under which people and libraries send a parameter by mistake.

/// A parameter, and the names that are used instead.
const MISNAMED: [(&str, &[&str]); 5] = [
    ("grant_type", &["grantType", "grant-type", "grant"]),
    ("username", &["email", "e-mail", "mail", "login", "user", "userName", "user_name"]),
    ("password", &["passwd", "pass", "pwd"]),
    ("refresh_token", &["refreshToken", "refresh-token", "refresh", "token"]),
    ("token", &["access_token", "refresh_token", "accessToken", "refreshToken"]),
];

/// That name, if it is used for a parameter by mistake.
pub(super) fn wrong_name(name: &str) -> Option<&'static str> {
    MISNAMED.iter().flat_map(|(_, others)| others.iter()).find(|other| **other == name).copied()
}

/// The names that are used for a parameter by mistake.
pub(super) fn wrong_names(parameter: &str) -> &'static [&'static str] {
    MISNAMED.iter().find(|(name, _)| *name == parameter).map_or(&[], |(_, others)| others)
}
