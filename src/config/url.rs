//! Rules for the URLs in settings. Each error is only the fault, to follow the value.
//!
//! No parser of URLs does this. Issuers and origins are compared byte by byte (RFC 8414 §3.3, RFC 6454 §6.2), so the
//! text must already have the one form that is sent. The crate `url` turns other spellings into that form (capital
//! letters, default ports, `..`) without a word, and `http::Uri` accepts them; neither says in words what to correct.

use std::net::Ipv6Addr;

/// Whether the text can be an issuer (RFC 8414 §2): an HTTP(S) URL without query and fragment, kept as written.
pub(super) fn check_issuer(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let rest = rest.ok_or("does not start with http:// or https://")?;
    if rest.contains('?') {
        return Err("has a query");
    }
    if rest.contains('#') {
        return Err("has a fragment");
    }
    if rest.ends_with('/') {
        return Err("has a trailing slash");
    }
    // The characters of RFC 3986 §2, without those refused above.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]@!$&'()*+,;=%".contains(c);
    if !rest.chars().all(is_plain) {
        return Err("has a character that is not allowed in a URL");
    }
    check_authority(rest.split('/').next().unwrap_or_default())
}

/// Whether the text is an origin as a browser sends it in `Origin` (RFC 6454 §6.2), so that it can be compared byte by
/// byte.
pub(super) fn check_origin(text: &str) -> Result<(), &'static str> {
    if text == "*" {
        return Err("would allow every site");
    }
    let (scheme, authority) = text.split_once("://").ok_or("is not an origin")?;
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(is_scheme) {
        return Err("has an invalid scheme");
    }
    if text.chars().any(|c| c.is_ascii_uppercase()) {
        return Err("has capital letters, which browsers never send");
    }
    if authority.ends_with('/') {
        return Err("has a trailing slash");
    }
    if authority.contains(['/', '?', '#']) {
        return Err("has a path, query or fragment");
    }
    if matches!((scheme, authority.rsplit_once(':')), ("https", Some((_, "443"))) | ("http", Some((_, "80")))) {
        return Err("names the default port, which browsers omit");
    }
    check_authority(authority)
}

/// Whether the text is empty or a path that a proxy can put before the service's own.
pub(super) fn check_root_path(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Ok(());
    }
    let path = text.strip_prefix('/').ok_or("does not start with a slash")?;
    if text.ends_with('/') {
        return Err("has a trailing slash");
    }
    // RFC 3986 §2.3: characters that need no encoding, so that the text is the same everywhere.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    if path.split('/').all(|segment| segment.chars().all(is_plain) && !["", ".", ".."].contains(&segment)) {
        return Ok(());
    }
    Err("is not a plain path")
}

/// Whether the text is `host` or `host:port`.
pub(super) fn check_authority(authority: &str) -> Result<(), &'static str> {
    if authority.contains('@') {
        return Err("has a user name");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or("has an invalid host")?;
            address.parse::<Ipv6Addr>().map_err(|_| "has an invalid host")?;
            let port = after.strip_prefix(':');
            if port.is_none() && !after.is_empty() {
                return Err("has an invalid host");
            }
            ("ip", port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if host.is_empty() || !host.chars().all(is_host) {
        return Err("has an invalid host");
    }
    match port {
        Some(port) if !is_port(port) => Err("has an invalid port"),
        _ => Ok(()),
    }
}

fn is_port(text: &str) -> bool {
    text.starts_with(|c: char| matches!(c, '1'..='9')) && text.parse::<u16>().is_ok()
}
