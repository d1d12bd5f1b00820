//! The two headers in which proxies name the client they forward for: `X-Forwarded-For`, and `Forwarded` (RFC 7239).

use std::net::IpAddr;

use actix_web::http::header::{FORWARDED, HeaderMap, X_FORWARDED_FOR};

/// Whether a proxy, or a client posing as one, has forwarded the request.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED)
}

/// Stands for a line that cannot be parsed. Skipping it would expose what is written before it, perhaps by the client.
pub(super) const UNREADABLE: &str = "?";

/// The hops in the lines of `X-Forwarded-For`, the client first; `None` for a hop that is not an address.
pub(super) fn x_forwarded_for<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Option<IpAddr>> {
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(is_given).map(parse_node).collect()
}

/// The hops in the lines of `Forwarded`, the client first; `None` for a hop that is hidden or cannot be parsed.
pub(super) fn forwarded<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Option<IpAddr>> {
    // After an unclosed quote, what a proxy appended would read as part of what the client sent.
    let elements = |line| split_unquoted(line, ',').unwrap_or_else(|| vec![UNREADABLE]);
    lines.flat_map(elements).map(str::trim).filter(is_given).map(parse_element).collect()
}

/// Whether a list element is not empty. Empty ones mean nothing (RFC 9110 §5.6.1).
fn is_given(element: &&str) -> bool {
    !element.is_empty()
}

/// RFC 7239 §4: `for=192.0.2.60;proto=http;by=203.0.113.43`. A parameter that occurs twice means nothing.
fn parse_element(element: &str) -> Option<IpAddr> {
    let mut found = None;
    // Pairs may be empty, for example after a semicolon at the end.
    for pair in split_unquoted(element, ';')?.into_iter().map(str::trim).filter(is_given) {
        let (name, value) = pair.split_once('=')?;
        if name.eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            return None;
        }
    }
    let value = found?;
    // No address contains characters that need escaping in quotes.
    let quoted = value.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or_default());
    parse_node(quoted.unwrap_or(value))
}

/// RFC 7239 §6: an address with or without a port; `unknown` and obfuscated identifiers give `None`. IPv6 addresses
/// stand in brackets, though some proxies omit them in `X-Forwarded-For`.
fn parse_node(node: &str) -> Option<IpAddr> {
    let address = match node.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
                return None;
            }
            IpAddr::V6(address.parse().ok()?)
        }
        None => match node.split_once(':') {
            Some((address, port)) if is_port(port) => IpAddr::V4(address.parse().ok()?),
            _ => node.parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

/// RFC 7239 §6: a number, or an identifier that begins with an underscore.
fn is_port(text: &str) -> bool {
    let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match text.strip_prefix('_') {
        Some(name) => !name.is_empty() && name.bytes().all(is_in_name),
        None => (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// The parts between separators outside of quotes (RFC 9110 §5.6.4); `None` if a quote is left open.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_separator = |character| {
        let is_plain = !std::mem::take(&mut is_escaped);
        match character {
            '"' if is_plain => is_quoted = !is_quoted,
            '\\' if is_plain && is_quoted => is_escaped = true,
            _ => return character == separator && !is_quoted,
        }
        false
    };
    let parts = text.split(is_separator).collect();
    (!is_quoted).then_some(parts)
}
