//! Explains an access token to a person: what it says, and every reason why it would be refused.
//!
//! [`jwt::check`](super::jwt::check) stops at the first fault; this lists them all.

use serde_json::{Map, Value};

use super::jwt::{CLOCK_SKEW_SECONDS, CheckingKey, part};
use crate::db::Timestamp;

/// The claims that every access token has (RFC 9068 §2.2, and `sid`).
const REQUIRED: [&str; 9] = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "sid"];
/// The claims that are times, in seconds since the Unix epoch.
const TIMES: [&str; 3] = ["exp", "iat", "nbf"];

/// What a valid token has.
pub(crate) struct Expected {
    /// `None`: any.
    pub issuer: Option<String>,
    /// `None`: any, because it is not published.
    pub audience: Option<String>,
    /// By their `kid`.
    pub keys: Vec<(String, CheckingKey)>,
    /// Where the keys come from, for messages.
    pub source: String,
}

/// The result of an inspection.
pub(crate) struct Inspected {
    /// Header and claims, one member a line.
    pub lines: Vec<String>,
    /// Why it would be refused; empty for a valid token.
    pub faults: Vec<String>,
    /// A sentence for a valid token.
    pub verdict: String,
}

impl Expected {
    /// From a service's metadata (RFC 8414) and keys (RFC 7517).
    pub(crate) fn published(issuer: &str, jwks: &Value, url: &str) -> Self {
        let keys = jwks.get("keys").and_then(Value::as_array).into_iter().flatten();
        let named = |jwk: &Value| Some((jwk.get("kid")?.as_str()?.to_owned(), CheckingKey::from_jwk(jwk)?));
        Self {
            issuer: Some(issuer.to_owned()),
            audience: None,
            keys: keys.filter_map(named).collect(),
            source: url.to_owned(),
        }
    }
}

/// Checks everything that can be checked.
pub(crate) fn inspect(token: &str, expected: &Expected, now: Timestamp) -> Inspected {
    let (Some(header), Some(claims)) = (part(token, 0), part(token, 1)) else {
        let fault = if token.is_empty() {
            "it is empty"
        } else if token.contains('.') {
            "it is not a JWT: expected three parts with JSON in base64url"
        } else {
            "it is not a JWT; a refresh token is opaque, only the service can read it"
        };
        return Inspected { lines: Vec::new(), faults: vec![fault.to_owned()], verdict: String::new() };
    };
    let mut faults = Vec::new();
    check_header(&header, &mut faults);
    check_signature(token, &header, expected, &mut faults);
    check_claims(&claims, expected, &mut faults);
    check_times(&claims, now, &mut faults);
    let mut lines = vec!["header".to_owned()];
    lines.extend(header.iter().map(|(name, value)| line(name, value, None)));
    lines.push("claims".to_owned());
    lines.extend(claims.iter().map(|(name, value)| line(name, value, time_of(name, value, now))));
    let left = claims.get("exp").and_then(Value::as_i64).map(|exp| span(exp - now.seconds())).unwrap_or_default();
    let verdict =
        format!("valid: signed by a key of {}, expires in {left}; keep it secret until then", expected.source);
    Inspected { lines, faults, verdict }
}

fn check_header(header: &Map<String, Value>, faults: &mut Vec<String>) {
    let typ = header.get("typ").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    if !["at+jwt", "application/at+jwt"].contains(&typ.as_str()) {
        faults.push("its typ is not at+jwt, so it is not an access token".to_owned());
    }
    if header.contains_key("crit") {
        faults.push("its header has crit, which an access token of Keyfob never has".to_owned());
    }
}

fn check_signature(token: &str, header: &Map<String, Value>, expected: &Expected, faults: &mut Vec<String>) {
    let source = &expected.source;
    let Some(kid) = header.get("kid").and_then(Value::as_str) else {
        faults.push("its header does not name a key (kid)".to_owned());
        return;
    };
    let Some((_, key)) = expected.keys.iter().find(|(known, _)| known == kid) else {
        let count = expected.keys.len();
        let why = if count == 0 { "; with HS256 no key is published" } else { "" };
        faults.push(format!("its key {} is not among the {count} of {source}{why}", shown(kid)));
        return;
    };
    if header.get("alg").and_then(Value::as_str) != Some(key.algorithm().as_str()) {
        faults.push(format!("its alg is not {}, the algorithm of its key", key.algorithm()));
    } else if !key.has_signed(token) {
        faults.push(format!("its signature does not match the key {} of {source}", shown(kid)));
    }
}

fn check_claims(claims: &Map<String, Value>, expected: &Expected, faults: &mut Vec<String>) {
    let missing: Vec<&str> = REQUIRED.into_iter().filter(|name| !claims.contains_key(*name)).collect();
    if !missing.is_empty() {
        faults.push(format!("it lacks {}", missing.join(", ")));
    }
    if let (Some(wanted), Some(found)) = (&expected.issuer, claims.get("iss"))
        && found.as_str() != Some(wanted)
    {
        faults.push(format!("its issuer is {}, not {wanted}", shown_value(found)));
    }
    if let (Some(wanted), Some(found)) = (&expected.audience, claims.get("aud")) {
        let several = found.as_array().into_iter().flatten();
        if !several.chain([found]).any(|one| one.as_str() == Some(wanted)) {
            faults.push(format!("its audience is {}, not {wanted}", shown_value(found)));
        }
    }
}

fn check_times(claims: &Map<String, Value>, now: Timestamp, faults: &mut Vec<String>) {
    let now = now.seconds();
    for name in TIMES {
        match (claims.get(name).map(Value::as_i64), name) {
            (Some(None), _) => faults.push(format!("its {name} is not a whole number of seconds")),
            (Some(Some(end)), "exp") if end <= now => {
                faults.push(format!("it expired {} ago", span(now.saturating_sub(end))))
            }
            (Some(Some(start)), "iat" | "nbf") if start > now.saturating_add(CLOCK_SKEW_SECONDS) => {
                faults.push(format!("its {name} is {} in the future", span(start.saturating_sub(now))));
            }
            _ => {}
        }
    }
}

fn line(name: &str, value: &Value, time: Option<String>) -> String {
    let time = time.map(|time| format!("  {time}")).unwrap_or_default();
    format!("  {:<9} {}{time}", shown(name), shown_value(value))
}

fn time_of(name: &str, value: &Value, now: Timestamp) -> Option<String> {
    let seconds = value.as_i64().filter(|_| TIMES.contains(&name))?;
    let time = Timestamp::from_millis(seconds.saturating_mul(1000));
    Some(match seconds.saturating_sub(now.seconds()) {
        0 => format!("{time}, now"),
        ahead @ 1.. => format!("{time}, in {}", span(ahead)),
        ago => format!("{time}, {} ago", span(ago.saturating_neg())),
    })
}

/// Seconds in the two largest units that are not zero.
fn span(seconds: i64) -> String {
    let units = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (length, unit) in units {
        if rest >= length {
            parts.push(format!("{} {unit}", rest / length));
            rest %= length;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

/// Escapes what would move the terminal's cursor or reverse the text: the token is not trusted.
fn shown(text: &str) -> String {
    let is_plain = |c: char| {
        !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_plain(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

fn shown_value(value: &Value) -> String {
    value.as_str().map_or_else(|| shown(&value.to_string()), shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_two_units() {
        let spans = [0, 59, 60, 61, 3_599, 3_600, 90_061, 864_000].map(span);
        assert_eq!(spans, ["0 s", "59 s", "1 min", "1 min 1 s", "59 min 59 s", "1 h", "1 d 1 h", "10 d"]);
    }

    #[test]
    fn text_of_strangers_moves_no_cursor() {
        assert_eq!(shown("a\u{1b}[2Jb\u{202e}c é"), "a\\u{1b}[2Jb\\u{202e}c é");
    }
}
