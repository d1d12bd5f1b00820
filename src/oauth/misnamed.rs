//! Parameters sent under another name: the error names the missing one and what was sent in its place.

use super::error::OAuthError;
use super::form::OAuthForm;

/// A parameter, and the names that people and libraries use instead.
const MISNAMED: [(&str, &[&str]); 5] = [
    ("grant_type", &["grantType", "grant-type", "grant"]),
    ("username", &["email", "e-mail", "mail", "login", "user", "userName", "user_name"]),
    ("password", &["passwd", "pass", "pwd"]),
    ("refresh_token", &["refreshToken", "refresh-token", "refresh", "token"]),
    ("token", &["access_token", "refresh_token", "accessToken", "refreshToken"]),
];

/// A name that people and libraries use for a parameter by mistake.
pub(super) fn wrong_name(name: &str) -> Option<&'static str> {
    MISNAMED.iter().flat_map(|(_, others)| others.iter()).find(|other| **other == name).copied()
}

/// The wrong name under which a form seems to hold a missing parameter.
pub(super) fn other_name(form: &OAuthForm, name: &str) -> Option<&'static str> {
    let (_, others) = MISNAMED.iter().find(|(parameter, _)| *parameter == name)?;
    others.iter().find(|other| form.peek(other).is_some() || form.has_wrong_name(other)).copied()
}

/// The error for a missing parameter.
pub(super) fn missing(form: &OAuthForm, name: &str) -> OAuthError {
    match other_name(form, name) {
        Some(other) => {
            OAuthError::InvalidRequest(format!("The parameter {name} is missing: {other} was sent in its place"))
        }
        None => OAuthError::InvalidRequest(format!("The parameter {name} is missing")),
    }
}
