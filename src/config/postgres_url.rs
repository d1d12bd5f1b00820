//! Parses a PostgreSQL URL as strictly as libpq, and a little more.
//!
//! libpq's messages quote what it cannot parse, which may be the password or the whole URL. So this module parses every
//! URL in full before libpq gets it, and its own errors contain nothing of the value.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

/// Replaces a secret that is set.
pub(super) const MASK: &str = "********";

/// The parameters of libpq 18 that may be shown (PostgreSQL's manual, "Parameter Key Words").
const OPEN_PARAMETERS: [&str; 47] = [
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_issuer",
    "oauth_scope",
    "options",
    "passfile",
    "port",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "service",
    "ssl",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslkeylogfile",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Those that hold a secret.
const SECRET_PARAMETERS: [&str; 5] =
    ["oauth_client_secret", "password", "scram_client_key", "scram_server_key", "sslpassword"];

/// A URL that libpq can parse, in its parts as written.
pub(crate) struct PostgresUrl<'u> {
    scheme: &'u str,
    /// The text before the `@`.
    credentials: Option<&'u str>,
    /// Hosts and ports, comma-separated.
    hosts: &'u str,
    /// The slash and the name, or empty.
    database: &'u str,
    query: Option<&'u str>,
}

impl<'u> PostgresUrl<'u> {
    /// # Errors
    /// Only the fault, without any of the URL.
    pub(crate) fn parse(text: &'u str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("is not a URL")?;
        if !matches!(scheme, "postgres" | "postgresql") {
            return Err("is not a PostgreSQL URL");
        }
        check_characters(rest)?;
        let (credentials, server) = match rest.split_once('@') {
            Some((credentials, server)) => (Some(credentials), server),
            None => (None, rest),
        };
        // libpq ends the credentials at the first `@` before the first slash; a person who reads the masked URL does
        // too.
        if server.contains('@') || credentials.is_some_and(|credentials| credentials.contains(['/', '?'])) {
            return Err("has `@`, `/`, `?` or `#` in a name or password; percent-encode it (@ is %40)");
        }
        let (base, query) = match server.split_once('?') {
            Some((base, query)) => (base, Some(query)),
            None => (server, None),
        };
        let (hosts, database) = base.split_at(base.find('/').unwrap_or(base.len()));
        hosts.split(',').try_for_each(check_host)?;
        let url = Self { scheme, credentials, hosts, database, query };
        if url.parameters().any(|parameter| !parameter.contains('=')) {
            return Err("has a parameter without `=`");
        }
        url.pairs().try_for_each(|(name, value)| check_parameter(name, value))?;
        Ok(url)
    }

    /// The URL without its secrets.
    pub(super) fn masked(&self) -> String {
        let credentials = match self.credentials.map(|credentials| credentials.split_once(':')) {
            Some(Some((user, _))) => format!("{user}:{MASK}@"),
            Some(None) => format!("{}@", self.credentials.unwrap_or_default()),
            None => String::new(),
        };
        let query = self.query.map_or_else(String::new, |query| {
            let parameters: Vec<String> = query.split('&').map(masked_parameter).collect();
            format!("?{}", parameters.join("&"))
        });
        format!("{}://{credentials}{}{}{query}", self.scheme, self.hosts, self.database)
    }

    /// Whether the URL has a secret to mask.
    pub(super) fn has_secret(&self) -> bool {
        let has_password = self.credentials.is_some_and(|credentials| credentials.contains(':'));
        has_password || self.pairs().any(|(name, _)| SECRET_PARAMETERS.contains(&name))
    }

    /// The value of a parameter; the last one counts.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.pairs().filter_map(|pair| as_libpq_has_it(pair, name)).last()
    }

    /// The hosts, from the parameter or from their place in the URL; `None` if neither has any.
    pub(super) fn hosts(&self) -> Option<String> {
        let in_place = self.hosts.split(',').map(host_alone).map(decoded).collect::<Vec<_>>().join(",");
        self.parameter("host").or(Some(in_place)).filter(|hosts| !hosts.is_empty())
    }

    /// Whether libpq would refuse to connect without TLS.
    pub(super) fn demands_tls(&self) -> bool {
        let is =
            |name: &str, values: &[&str]| self.parameter(name).is_some_and(|value| values.contains(&value.as_str()));
        is("sslmode", &["require", "verify-ca", "verify-full"])
            || is("sslnegotiation", &["direct"])
            || is("sslrootcert", &["system"])
            || is("sslcertmode", &["require"])
    }

    /// The URL with further parameters, which it must not have yet.
    pub(crate) fn with_parameters(&self, text: &str, parameters: &[(&str, &str)]) -> String {
        let missing = parameters.iter().filter(|(name, _)| self.parameter(name).is_none());
        let added: Vec<String> = missing.map(|(name, value)| format!("{name}={value}")).collect();
        let separator = match self.query {
            None => "?",
            // libpq refuses an empty parameter.
            Some(query) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        if added.is_empty() { text.to_owned() } else { format!("{text}{separator}{}", added.join("&")) }
    }

    fn pairs(&self) -> impl Iterator<Item = (&'u str, &'u str)> {
        self.parameters().filter_map(|parameter| parameter.split_once('='))
    }

    fn parameters(&self) -> impl Iterator<Item = &'u str> {
        let query = self.query.filter(|query| !query.is_empty());
        // libpq accepts a trailing `&`.
        query.into_iter().flat_map(|query| query.strip_suffix('&').unwrap_or(query).split('&'))
    }
}

/// Checks for the characters of a URL (RFC 3986 §2), and letters beyond ASCII.
fn check_characters(rest: &str) -> Result<(), &'static str> {
    if rest.is_empty() {
        return Err("does not name a server");
    }
    if rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("has a space or a control character; percent-encode it (a space is %20)");
    }
    if rest.contains('#') {
        return Err("has `@`, `/`, `?` or `#` in a name or password; percent-encode it (# is %23)");
    }
    let is_encoded = |after: &str| {
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        digits.is_some_and(|digits| digits != "00")
    };
    if rest.split('%').skip(1).all(is_encoded) {
        return Ok(());
    }
    Err("has a `%` that is not followed by two hexadecimal digits; percent-encode it (% is %25)")
}

/// Also catches a password in the place of a port.
fn check_host(host: &str) -> Result<(), &'static str> {
    let after = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or("has a `[` without a matching `]`")?;
            // RFC 6874: a zone, such as %25eth0.
            let is_address = address.split('%').next().unwrap_or_default().parse::<Ipv6Addr>().is_ok();
            if !is_address || !(after.is_empty() || after.starts_with(':')) {
                return Err("has an invalid IPv6 address between `[` and `]`");
            }
            after
        }
        None => host.split_at(host.find(':').unwrap_or(host.len())).1,
    };
    let port = after.strip_prefix(':').unwrap_or_default();
    if port.bytes().all(|byte| byte.is_ascii_digit()) { Ok(()) } else { Err("has a port that is not a number") }
}

/// libpq refuses other names, and would quote them; the mask would also show a password under an unknown name.
fn check_parameter(name: &str, value: &str) -> Result<(), &'static str> {
    if !OPEN_PARAMETERS.contains(&name) && !SECRET_PARAMETERS.contains(&name) {
        return Err("has a parameter that PostgreSQL does not know; use `name=value` with the names of its manual in \
                    lower case, such as password, sslmode, sslrootcert");
    }
    if value.contains('=') {
        return Err("has `=` in the value of a parameter; percent-encode it (= is %3D)");
    }
    match (name, value) {
        ("ssl", "true") | ("requiressl", "0" | "1") => Ok(()),
        ("ssl" | "requiressl", _) => Err("has `ssl` or `requiressl` with an unknown value; use `sslmode=require`"),
        _ => Ok(()),
    }
}

fn masked_parameter(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if !OPEN_PARAMETERS.contains(&name) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    }
}

/// The value that a pair gives to a parameter, if any: `ssl` (JDBC) and `requiressl` (old libpq releases) are other
/// spellings of `sslmode`.
fn as_libpq_has_it((name, value): (&str, &str), wanted: &str) -> Option<String> {
    match (name, value) {
        ("ssl", _) | ("requiressl", "1") => (wanted == "sslmode").then(|| "require".to_owned()),
        ("requiressl", _) => (wanted == "sslmode").then(|| "prefer".to_owned()),
        _ => (name == wanted).then(|| decoded(value)),
    }
}

/// A host without brackets and port.
fn host_alone(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
