//! A response, and what the contract says about every response of its kind.

use std::collections::BTreeMap;

use serde_json::Value;

use super::is_request_id;

/// A complete response.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The request it belongs to, for messages.
    pub request: String,
    pub status: u16,
    /// In the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The only value of a header.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let first = values.next();
        assert!(values.next().is_none(), "{name} is sent twice: {self}");
        first.map(|(_, value)| value.as_str())
    }

    /// The value of a header that must be there.
    #[track_caller]
    pub fn need(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name}: {self}"))
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|_| panic!("not UTF-8: {self}"))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|fault| panic!("no JSON ({fault}): {self}"))
    }

    /// Any response: the status, and the headers that every response carries.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self}");
        assert!(is_request_id(self.need("x-request-id")), "{self}");
        self
    }

    /// A success with a JSON body.
    #[track_caller]
    pub fn expect_json(self, status: u16) -> Value {
        let answer = self.expect(status);
        assert_eq!(answer.need("content-type"), "application/json", "{answer}");
        answer.json()
    }

    /// A success without a body.
    #[track_caller]
    pub fn expect_empty(self, status: u16) -> Self {
        let answer = self.expect(status);
        assert!(answer.body.is_empty(), "{answer}");
        answer
    }

    /// RFC 9457: a problem.
    #[track_caller]
    pub fn expect_error(self, status: u16) -> Value {
        let answer = self.expect(status);
        assert_eq!(answer.need("content-type"), "application/problem+json", "{answer}");
        let problem = answer.json();
        for member in ["type", "title", "detail"] {
            let text = problem[member].as_str().unwrap_or_else(|| panic!("no {member}: {answer}"));
            assert!(!text.is_empty(), "empty {member}: {answer}");
        }
        assert_eq!(problem["status"], status, "{answer}");
        // RFC 9110 §15.5.2 and §15.5.6
        assert!(status != 401 || answer.header("www-authenticate").is_some(), "{answer}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{answer}");
        problem
    }

    /// A 422 that names exactly these places, each once, in any order.
    #[track_caller]
    pub fn expect_faults(self, places: &[&[&str]]) -> Value {
        let shown = self.to_string();
        let problem = self.expect_error(422);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {shown}"));
        let mut found = Vec::new();
        for error in errors {
            assert!(error["msg"].as_str().is_some_and(|text| !text.is_empty()), "no msg: {shown}");
            assert!(error["type"].as_str().is_some_and(|text| !text.is_empty()), "no type: {shown}");
            let place = error["loc"].as_array().unwrap_or_else(|| panic!("no loc: {shown}"));
            found.push(place.iter().map(|part| part.as_str().unwrap_or("?").to_owned()).collect::<Vec<_>>());
        }
        found.sort();
        let mut expected: Vec<Vec<String>> =
            places.iter().map(|place| place.iter().map(|&part| part.to_owned()).collect()).collect();
        expected.sort();
        assert_eq!(found, expected, "{shown}");
        problem
    }

    /// RFC 6749 §5.2: an error of a token endpoint.
    #[track_caller]
    pub fn expect_oauth_error(self, status: u16, code: &str) -> Value {
        let answer = self.expect(status);
        assert_eq!(answer.need("content-type"), "application/json", "{answer}");
        answer.expect_uncached();
        let error = answer.json();
        assert_eq!(error["error"], code, "{answer}");
        let description = error["error_description"].as_str().unwrap_or_else(|| panic!("no description: {answer}"));
        assert!(!description.is_empty(), "{answer}");
        let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
        assert!(description.chars().all(allowed), "a character that RFC 6749 §5.2 excludes: {answer}");
        assert_eq!(error["detail"], description, "{answer}");
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{answer}");
        if status == 401 {
            assert_eq!(answer.need("www-authenticate"), "Basic realm=\"keyfob\"", "{answer}");
        }
        error
    }

    /// RFC 6749 §5.1: what hands out tokens, and each error there, is never stored.
    #[track_caller]
    pub fn expect_uncached(&self) {
        assert_eq!(self.need("cache-control"), "no-store", "{self}");
        assert_eq!(self.need("pragma"), "no-cache", "{self}");
    }

    /// RFC 6750 §3.1: no credentials were sent, so no error code is.
    #[track_caller]
    pub fn expect_no_credentials(self) {
        assert_eq!(self.need("www-authenticate"), "Bearer realm=\"keyfob\"", "{self}");
        self.expect_error(401);
    }

    /// RFC 6750 §3.1: the credentials are no good.
    #[track_caller]
    pub fn expect_invalid_token(self) {
        let shown = self.to_string();
        let (scheme, parameters) = challenge(self.need("www-authenticate"));
        assert_eq!(scheme, "Bearer", "{shown}");
        assert_eq!(parameters.get("realm").map(String::as_str), Some("keyfob"), "{shown}");
        assert_eq!(parameters.get("error").map(String::as_str), Some("invalid_token"), "{shown}");
        assert!(parameters.get("error_description").is_some_and(|text| !text.is_empty()), "{shown}");
        self.expect_error(401);
    }

    /// RFC 6750 §3.1: the credentials are good, but not for this.
    #[track_caller]
    pub fn expect_insufficient_scope(self, needed: &str) {
        let shown = self.to_string();
        let (scheme, parameters) = challenge(self.need("www-authenticate"));
        assert_eq!(scheme, "Bearer", "{shown}");
        assert_eq!(parameters.get("realm").map(String::as_str), Some("keyfob"), "{shown}");
        assert_eq!(parameters.get("error").map(String::as_str), Some("insufficient_scope"), "{shown}");
        assert_eq!(parameters.get("scope").map(String::as_str), Some(needed), "{shown}");
        self.expect_error(403);
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {} {:?} {}", self.request, self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

/// Scheme and parameters of a `WWW-Authenticate` value with one challenge.
#[track_caller]
fn challenge(value: &str) -> (String, BTreeMap<String, String>) {
    let (scheme, mut rest) = value.split_once(' ').unwrap_or((value, ""));
    let mut parameters = BTreeMap::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("a parameter without quotes: {value}"));
        let (text, after) = after.split_once('"').unwrap_or_else(|| panic!("an open quote: {value}"));
        // RFC 6750 §3: the characters allowed in scope, error and error_description.
        assert!(text.chars().all(|c| matches!(c, ' '..='!' | '#'..='[' | ']'..='~')), "{value}");
        assert!(parameters.insert(name.to_owned(), text.to_owned()).is_none(), "{name} is there twice: {value}");
        rest = after.strip_prefix(", ").unwrap_or(after);
    }
    (scheme.to_owned(), parameters)
}

/// The names in a comma-separated header, sorted.
pub fn header_names(value: &str) -> Vec<String> {
    let mut names: Vec<_> = value.split(',').map(|name| name.trim().to_owned()).collect();
    names.sort();
    names
}
