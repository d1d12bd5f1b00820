//! The header that carries an access token.

use actix_web::http::header::AUTHORIZATION;
use actix_web::test::TestRequest;

use super::with_lines;
use crate::guard::AuthError;
use crate::guard::authenticate::bearer_token;

/// The header `Authorization: Bearer`, in one line or several.
pub fn bearer(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').take(3).collect();
    let Some(request) = with_lines(TestRequest::default(), &AUTHORIZATION, &lines) else { return };
    let [first, others @ ..] = lines.as_slice() else { return };
    let blanks = first.iter().take_while(|byte| **byte == b' ').count();
    let trimmed = first.split_at(blanks).1;
    let is_bearer = trimmed.len() >= 6 && trimmed.split_at(6).0.eq_ignore_ascii_case(b"bearer");
    let rest = if is_bearer { trimmed.split_at(6).1 } else { trimmed };
    let is_bearer = is_bearer && rest.first().is_none_or(|byte| *byte == b' ');
    let text = std::str::from_utf8(rest).map(|rest| rest.trim_matches(' '));
    let is_good = others.is_empty() && text.is_ok_and(|text| !text.is_empty() && !text.contains(' '));
    let expected = match (is_bearer, is_good, text) {
        (false, _, _) => Err(AuthError::Missing),
        (true, true, Ok(text)) => Ok(text),
        _ => Err(AuthError::Malformed),
    };
    assert_eq!(bearer_token(&request.to_http_request()), expected);
}
