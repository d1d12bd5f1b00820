//! RFC 8725 and the usual attacks on JWTs: one table of forged tokens for each algorithm, each 401 `invalid_token`.
//!
//! What is wrong with a row is the one thing that its name says: unless that is the signature, the signature is the
//! server's own, so that no check can hide behind another.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::keychain::{TestKey, home_with_key_file, thumbprint};
use crate::steps::{expect_refused, published_keys, refresh_token, renew};
use crate::support::{Actor, Answer, SECRET, Server, Wire, decode, now_seconds};

/// What a forged token is called, and the token.
type Row = (String, String);

const NINE_CLAIMS: [&str; 9] = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "sid"];
/// Base64 in the order of its values; the last two differ between the alphabets.
const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A server whose key the test knows, and a good token of it.
struct Target {
    server: Server,
    bob: Actor,
    header: Value,
    claims: Value,
    /// `None`: HS256 under `SECRET`.
    key: Option<TestKey>,
}

impl Target {
    fn of(algorithm: &str) -> Self {
        let key = (algorithm != "HS256").then(|| TestKey::make(algorithm));
        let server = match &key {
            Some(key) => Server::at(Arc::new(home_with_key_file(algorithm, &key.pem()))),
            None => Server::with_hs256(),
        };
        let bob = server.sign_up("bob@example.com");
        let (header, claims) = decode(&bob.token);
        Self { server, bob, header, claims, key }
    }

    fn kid(&self) -> &str {
        self.header["kid"].as_str().expect("a kid")
    }

    fn signature(&self, text: &str) -> Vec<u8> {
        match &self.key {
            Some(key) => key.sign(text),
            None => hmac_sha256(SECRET.as_bytes(), text),
        }
    }

    /// Signs two parts that are encoded already.
    fn sign_parts(&self, header: &str, claims: &str) -> String {
        let text = format!("{header}.{claims}");
        format!("{text}.{}", encode(self.signature(&text)))
    }

    /// Signs two texts, which need not be JSON.
    fn sign_texts(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        self.sign_parts(&encode(header), &encode(claims))
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        self.sign_texts(with(&self.header, name, value).to_string(), self.claims.to_string())
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        self.sign_texts(self.header.to_string(), with(&self.claims, name, value).to_string())
    }

    /// With a claim in this very spelling.
    fn with_raw_claim(&self, name: &str, raw: &str) -> String {
        let rest = without(&self.claims, name).to_string();
        self.sign_texts(self.header.to_string(), format!("{{\"{name}\":{raw},{}", &rest[1..]))
    }

    fn me(&self, token: &str) -> Answer {
        self.server.request("GET", "/me").header("authorization", &format!("Bearer {token}")).send()
    }

    /// Every row is refused, and none of them ends the session whose token it imitates.
    #[track_caller]
    fn expect_all_refused(&self, rows: &[Row]) {
        self.me(&self.sign_texts(self.header.to_string(), self.claims.to_string())).expect_json(200);
        let accepted: Vec<String> = rows.iter().filter_map(|(name, token)| fault(name, &self.me(token))).collect();
        assert!(accepted.is_empty(), "{} of {} rows: {accepted:#?}", accepted.len(), rows.len());
        self.bob.get("/me").expect_json(200);
    }
}

/// What is wrong with an answer that should be 401 `invalid_token`.
fn fault(name: &str, answer: &Answer) -> Option<String> {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let is_refused = answer.status == 401
        && challenge.starts_with("Bearer ")
        && challenge.contains("error=\"invalid_token\"")
        && answer.header("content-type") == Some("application/problem+json");
    (!is_refused).then(|| format!("{name}: {} {challenge} {}", answer.status, String::from_utf8_lossy(&answer.body)))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hmac_sha256(secret: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes()).as_ref().to_vec()
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut changed = object.clone();
    changed[name] = value;
    changed
}

fn without(object: &Value, name: &str) -> Value {
    let mut changed = object.clone();
    changed.as_object_mut().expect("an object").remove(name);
    changed
}

fn row(name: impl std::fmt::Display, token: String) -> Row {
    (name.to_string(), token)
}

/// A changed header, with signatures that a careless library might take.
fn unsigned_or_signed(target: &Target, name: &str, header: &Value) -> Vec<Row> {
    let good = target.bob.token.rsplit('.').next().expect("a signature");
    let text = format!("{}.{}", encode(header.to_string()), encode(target.claims.to_string()));
    let own = encode(target.signature(&text));
    [("no signature", ""), ("a short signature", "AAAA"), ("the old signature", good), ("the server's signature", &own)]
        .map(|(how, signature)| row(format!("{name}, {how}"), format!("{text}.{signature}")))
        .to_vec()
}

fn algorithms(target: &Target) -> Vec<Row> {
    let mut rows = Vec::new();
    for name in
        ["none", "None", "NONE", "nOnE", "none ", "", "dir", "A128KW", "HS384", "HS512", "PS256", "ES384", "RS1"]
    {
        rows.extend(unsigned_or_signed(target, &format!("alg {name:?}"), &with(&target.header, "alg", json!(name))));
    }
    for value in [json!(null), json!(1), json!(["HS256"]), json!({"alg": "HS256"}), json!(true)] {
        rows.extend(unsigned_or_signed(target, &format!("alg {value}"), &with(&target.header, "alg", value)));
    }
    rows.extend(unsigned_or_signed(target, "no alg", &without(&target.header, "alg")));
    let own = target.header["alg"].as_str().expect("an alg");
    for name in ["HS256", "RS256", "ES256", "EdDSA"].iter().filter(|name| **name != own) {
        rows.extend(unsigned_or_signed(target, &format!("alg {name}"), &with(&target.header, "alg", json!(name))));
    }
    let miscased = if own == own.to_lowercase() { own.to_uppercase() } else { own.to_lowercase() };
    rows.extend(unsigned_or_signed(target, "alg miscased", &with(&target.header, "alg", json!(miscased))));
    rows
}

/// HS256 under everything about the server's key that is public.
fn public_secrets(target: &Target) -> Vec<Row> {
    let mut secrets: Vec<(String, Vec<u8>)> = vec![
        ("nothing".into(), Vec::new()),
        ("the kid".into(), target.kid().into()),
        ("the issuer".into(), b"http://127.0.0.1:8000".to_vec()),
        ("the audience".into(), b"keyfob".to_vec()),
        ("a usual secret".into(), b"secret".to_vec()),
    ];
    if let Some(key) = &target.key {
        let (raw, der) = key.public();
        let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", der.clone()));
        let jwk = published_keys(&target.server).remove(0);
        for (name, text) in [("PEM", pem.as_str()), ("PEM without its last line end", pem.trim_end())] {
            secrets.push((name.into(), text.into()));
            secrets.push((format!("{name}, one LF a line"), text.replace("\r\n", "\n").into()));
        }
        secrets.extend([("the raw key".to_owned(), raw), ("DER".into(), der)]);
        secrets.push(("the JWK".into(), jwk.to_string().into()));
        secrets.push(("the JWK set".into(), target.server.get("/.well-known/jwks.json").body));
        for member in ["x", "y", "n"] {
            if let Some(text) = jwk[member].as_str() {
                secrets.push((format!("{member} as text"), text.into()));
                secrets.push((format!("{member} as bytes"), URL_SAFE_NO_PAD.decode(text).expect("base64url")));
            }
        }
    }
    let header = with(&target.header, "alg", json!("HS256"));
    let text = format!("{}.{}", encode(header.to_string()), encode(target.claims.to_string()));
    secrets
        .iter()
        .map(|(name, secret)| {
            row(format!("HS256 under {name}"), format!("{text}.{}", encode(hmac_sha256(secret, &text))))
        })
        .collect()
}

fn signatures(target: &Target) -> Vec<Row> {
    let text = format!("{}.{}", encode(target.header.to_string()), encode(target.claims.to_string()));
    let good = target.signature(&text);
    let mut rows: Vec<Row> = [0, 1, 31, 32, 63, 64, 65, 70, 255, 256, 257]
        .iter()
        .flat_map(|length| {
            [0_u8, 0xff].map(|byte| {
                row(format!("{length} bytes {byte:02x}"), format!("{text}.{}", encode(vec![byte; *length])))
            })
        })
        .collect();
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        rows.push(row(format!("one bit of byte {at} changed"), format!("{text}.{}", encode(changed))));
    }
    rows.push(row("one byte more", format!("{text}.{}", encode([good.as_slice(), &[0]].concat()))));
    rows.push(row("twice", format!("{text}.{}", encode([good.as_slice(), &good].concat()))));
    rows.push(row("one byte less", format!("{text}.{}", encode(&good[1..]))));
    let other = encode(with(&target.claims, "scope", json!("profile posts admin")).to_string());
    let header = encode(target.header.to_string());
    rows.push(row("more scope under the old signature", format!("{header}.{other}.{}", encode(&good))));
    if let Some(key) = &target.key {
        let stranger = TestKey::make(target.header["alg"].as_str().expect("an alg"));
        rows.push(row("another key", format!("{text}.{}", encode(stranger.sign(&text)))));
        if matches!(key, TestKey::ES256(..)) {
            rows.push(row("DER instead of r and s", format!("{text}.{}", encode(der_signature(&good)))));
        }
    }
    rows
}

/// An ECDSA signature as X.509 writes it.
fn der_signature(fixed: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let lead: &[u8] = if bytes[0] >= 0x80 { &[0] } else { &[] };
        let length = u8::try_from(bytes.len() + lead.len()).expect("short");
        [&[2, length], lead, bytes].concat()
    };
    let both = [integer(&fixed[..32]), integer(&fixed[32..])].concat();
    [&[0x30, u8::try_from(both.len()).expect("short")], both.as_slice()].concat()
}

/// A key of the attacker's own, brought along in the header or offered for download.
fn keys_brought_along(target: &Target, url: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for algorithm in ["EdDSA", "ES256", "RS256", "HS256"] {
        let key = (algorithm != "HS256").then(|| TestKey::make(algorithm));
        let sign = |text: &str| key.as_ref().map_or_else(|| hmac_sha256(b"the attacker's", text), |key| key.sign(text));
        let jwk = own_jwk(key.as_ref());
        let own_kid = if key.is_some() { thumbprint(&jwk) } else { "own".to_owned() };
        let certificate = STANDARD.encode(key.as_ref().map_or_else(|| b"none".to_vec(), |key| key.public().1));
        for kid in [Some(target.kid()), Some(own_kid.as_str()), None] {
            let mut bare = with(&target.header, "alg", json!(algorithm));
            bare = kid.map_or_else(|| without(&bare, "kid"), |kid| with(&bare, "kid", json!(kid)));
            for (name, value) in [
                ("jwk", jwk.clone()),
                ("jku", json!(url)),
                ("x5u", json!(url)),
                ("x5c", json!([certificate])),
                ("x5t", json!(encode([7; 20]))),
            ] {
                let header = with(&bare, name, value);
                let text = format!("{}.{}", encode(header.to_string()), encode(target.claims.to_string()));
                let token = format!("{text}.{}", encode(sign(&text)));
                rows.push(row(format!("{algorithm} with {name} and the kid {kid:?}"), token));
            }
        }
    }
    rows
}

fn own_jwk(key: Option<&TestKey>) -> Value {
    let (raw, _) = key.map(TestKey::public).unwrap_or_default();
    match key {
        None => json!({"kty": "oct", "k": encode("the attacker's"), "alg": "HS256"}),
        Some(TestKey::EdDSA(..)) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(raw)}),
        Some(TestKey::ES256(..)) => {
            json!({"kty": "EC", "crv": "P-256", "x": encode(&raw[1..33]), "y": encode(&raw[33..])})
        }
        Some(TestKey::RS256(pair, _)) => {
            use aws_lc_rs::signature::KeyPair;
            let public = pair.public_key();
            let (n, e) = (public.modulus(), public.exponent());
            json!({
                "kty": "RSA",
                "n": encode(n.big_endian_without_leading_zero()),
                "e": encode(e.big_endian_without_leading_zero()),
            })
        }
    }
}

fn headers(target: &Target) -> Vec<Row> {
    let mut rows = Vec::new();
    for crit in
        [json!(["exp"]), json!(["b64"]), json!(["kid"]), json!(["x"]), json!([]), json!("exp"), json!([1]), json!({})]
    {
        rows.push(row(format!("crit {crit}"), target.with_header("crit", crit)));
    }
    let unencoded = with(&with(&target.header, "crit", json!(["b64"])), "b64", json!(false));
    rows.push(row("b64 false", target.sign_texts(unencoded.to_string(), target.claims.to_string())));
    for typ in
        ["JWT", "jwt", "refresh", "rt+jwt", "", "at", "at+jwt ", " at+jwt", "text/at+jwt", "at+jwt;v=1", "id+jwt"]
    {
        rows.push(row(format!("typ {typ:?}"), target.with_header("typ", json!(typ))));
    }
    for typ in [json!(null), json!(1), json!(["at+jwt"])] {
        rows.push(row(format!("typ {typ}"), target.with_header("typ", typ)));
    }
    rows.push(row("no typ", target.sign_texts(without(&target.header, "typ").to_string(), target.claims.to_string())));
    let text = target.header.to_string();
    for name in ["alg", "kid", "typ"] {
        for (how, first, second) in [
            ("equal", &target.header[name], &target.header[name]),
            ("none first", &json!("none"), &target.header[name]),
            ("none last", &target.header[name], &json!("none")),
        ] {
            let rest = without(&target.header, name).to_string();
            let header = format!("{{\"{name}\":{first},{},\"{name}\":{second}}}", &rest[1..rest.len() - 1]);
            rows.push(row(format!("{name} twice, {how}"), target.sign_texts(header, target.claims.to_string())));
        }
    }
    for (name, header) in [
        ("a header that is an array", format!("[{text}]")),
        ("a header that is a text", json!(text).to_string()),
        ("a header of null", "null".to_owned()),
        ("an empty header", String::new()),
        ("something after the header", format!("{text}{{}}")),
        ("a header with a byte order mark", format!("\u{feff}{text}")),
        ("half a header", text[..text.len() - 1].to_owned()),
        ("a header with a comment", format!("/**/{text}")),
    ] {
        rows.push(row(name, target.sign_texts(header, target.claims.to_string())));
    }
    rows
}

fn kids(target: &Target) -> Vec<Row> {
    let kid = target.kid();
    let swapped: String = kid
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    let mut rows = Vec::new();
    for odd in [
        json!("../../../../../dev/null"),
        json!("/dev/null"),
        json!("file:///dev/null"),
        json!("x' OR '1'='1"),
        json!("x' UNION SELECT 'a'; --"),
        json!("$(sleep 1)"),
        json!("http://127.0.0.1:1/key"),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("é"),
        json!(0),
        json!(1.5),
        json!(true),
        json!(null),
        json!([kid]),
        json!({"kid": kid}),
        json!(format!("{kid} ")),
        json!(format!(" {kid}")),
        json!(format!("{kid}\u{0}")),
        json!(kid[1..]),
        json!(swapped),
        json!("x".repeat(4000)),
    ] {
        let name = format!("kid {}", odd.to_string().chars().take(60).collect::<String>());
        let header = with(&target.header, "kid", odd);
        rows.push(row(&name, target.sign_texts(header.to_string(), target.claims.to_string())));
        let header = with(&header, "alg", json!("HS256"));
        let text = format!("{}.{}", encode(header.to_string()), encode(target.claims.to_string()));
        rows.push(row(format!("{name}, HS256 under nothing"), format!("{text}.{}", encode(hmac_sha256(b"", &text)))));
    }
    rows.push(row("no kid", target.sign_texts(without(&target.header, "kid").to_string(), target.claims.to_string())));
    rows
}

fn claims(target: &Target) -> Vec<Row> {
    let now = now_seconds();
    let mut rows = Vec::new();
    let mut add = |name: &str, values: &[Value]| {
        for value in values {
            rows.push(row(format!("{name} {value}"), target.with_claim(name, value.clone())));
        }
    };
    let none_of_them = [json!(null), json!(true), json!({}), json!([])];
    for claim in NINE_CLAIMS {
        add(claim, &none_of_them);
    }
    let issuer = "http://127.0.0.1:8000";
    add(
        "iss",
        &[json!(""), json!("http://127.0.0.1:8000/"), json!("HTTP://127.0.0.1:8000"), json!("https://127.0.0.1:8000")],
    );
    add("iss", &[json!([issuer]), json!(1), json!(" http://127.0.0.1:8000")]);
    add(
        "aud",
        &[
            json!(""),
            json!("Keyfob"),
            json!("keyfob "),
            json!("other"),
            json!(["other"]),
            json!([["keyfob"]]),
            json!(1),
        ],
    );
    add(
        "exp",
        &[json!(now), json!(now - 1), json!(0), json!(-1), json!(i64::MIN), json!(now + 600).to_string().into()],
    );
    add("exp", &[json!("soon"), json!([now + 600])]);
    add("iat", &[json!(now + 60), json!("now"), json!([now]), json!(i64::MAX)]);
    add("nbf", &[json!(now + 60), json!("now"), json!([now]), json!(i64::MAX), json!(true)]);
    add(
        "sub",
        &[
            json!(1),
            json!(""),
            json!("x"),
            json!("-1"),
            json!("0"),
            json!("1.0"),
            json!("9007199254740992"),
            json!("1 OR 1=1"),
        ],
    );
    add("sid", &[json!(1), json!(""), json!("x"), json!("-1")]);
    add("jti", &[json!(1), json!("")]);
    add("client_id", &[json!(1), json!("")]);
    add("scope", &[json!(1), json!(["profile"])]);
    for raw in [
        "1e400",
        "-1e400",
        "1e30",
        "99999999999999999999",
        "18446744073709551616",
        "-99999999999999999999",
        "1.5",
        "0x7fffffff",
        "NaN",
        "Infinity",
        "+4000000000",
        "04000000000",
    ] {
        rows.push(row(format!("exp {raw}"), target.with_raw_claim("exp", raw)));
    }
    for claim in NINE_CLAIMS {
        let claims = without(&target.claims, claim).to_string();
        rows.push(row(format!("no {claim}"), target.sign_texts(target.header.to_string(), claims)));
    }
    rows
}

/// A claim twice: equal, or with another value in front or behind.
fn duplicates(target: &Target) -> Vec<Row> {
    let mut rows = Vec::new();
    for claim in NINE_CLAIMS.iter().chain(&["nbf"]) {
        let (good, other) = match *claim {
            "exp" => (target.claims["exp"].clone(), json!(now_seconds() + 3600)),
            "iat" | "nbf" => (target.claims["iat"].clone(), json!(now_seconds() - 5)),
            "sub" | "sid" => (target.claims[claim].clone(), json!("2")),
            "scope" => (target.claims[claim].clone(), json!("profile posts admin")),
            _ => (target.claims[claim].clone(), json!("other")),
        };
        let rest = without(&target.claims, claim).to_string();
        let rest = &rest[1..rest.len() - 1];
        for (how, first, second) in
            [("equal", &good, &good), ("other first", &other, &good), ("other last", &good, &other)]
        {
            let claims = format!("{{\"{claim}\":{first},{rest},\"{claim}\":{second}}}");
            rows.push(row(format!("{claim} twice, {how}"), target.sign_texts(target.header.to_string(), claims)));
        }
    }
    let rest = target.claims.to_string();
    let escaped = format!("{},\"\\u0073ub\":\"2\"}}", &rest[..rest.len() - 1]);
    rows.push(row("sub once more, escaped", target.sign_texts(target.header.to_string(), escaped)));
    rows
}

fn encodings(target: &Target) -> Vec<Row> {
    let (header, claims) = (target.header.to_string(), target.claims.to_string());
    let parts: Vec<&str> = target.bob.token.split('.').collect();
    let (first, second, third) = (parts[0], parts[1], parts[2]);
    let mut rows = vec![
        row("padded header", target.sign_parts(&padded(&header), second)),
        row("padded claims", target.sign_parts(first, &padded(&claims))),
        row("padded signature", format!("{}=", target.bob.token)),
        row("twice padded signature", format!("{}==", target.bob.token)),
        row("trailing bits in the header", target.sign_parts(&loose(&header), second)),
        row("trailing bits in the claims", target.sign_parts(first, &loose(&claims))),
        row("trailing bits in the signature", format!("{first}.{second}.{}", next_last(third))),
        row("standard alphabet in the claims", target.sign_parts(first, &standard(&target.claims))),
        row("standard alphabet in the header", target.sign_parts(&standard(&target.header), second)),
        row("percent-encoded dots", target.bob.token.replace('.', "%2E")),
        row("percent-encoded", target.bob.token.replace('e', "%65")),
        row("quoted", format!("\"{}\"", target.bob.token)),
        row("lower case", target.bob.token.to_lowercase()),
        row("a dot in front", format!(".{}", target.bob.token)),
        row("a dot behind", format!("{}.", target.bob.token)),
        row("a fourth part", format!("{}.AAAA", target.bob.token)),
        row("an empty part inside", format!("{first}..{second}.{third}")),
        row("two parts", format!("{first}.{second}")),
        row("parts in another order", format!("{second}.{first}.{third}")),
        row("no header", format!(".{second}.{third}")),
        row("no claims", format!("{first}..{third}")),
        row("only dots", "....".to_owned()),
        row("two tokens", format!("{0}.{0}", target.bob.token)),
        row("JSON serialization", json!({"payload": second, "protected": first, "signature": third}).to_string()),
        row(
            "JWE-like five parts",
            format!("{}.{second}.{third}.AAAA.AAAA", encode(r#"{"alg":"dir","enc":"A256GCM"}"#)),
        ),
        row("five parts of our own", format!("{first}.AAAA.AAAA.{second}.{third}")),
        row("text before", format!("x{}", target.bob.token)),
        row("text behind", format!("{}x", target.bob.token)),
        row(
            "claims that are no UTF-8",
            target.sign_texts(&header, [claims.replace("keyfob", "k").as_bytes(), b"\xff"].concat()),
        ),
    ];
    for (name, text) in [
        ("claims that are an array", format!("[{claims}]")),
        ("claims that are a text", json!(claims).to_string()),
        ("claims of null", "null".to_owned()),
        ("empty claims", String::new()),
        ("something after the claims", format!("{claims}{{}}")),
        ("claims with a byte order mark", format!("\u{feff}{claims}")),
        ("half the claims", claims[..claims.len() - 1].to_owned()),
    ] {
        rows.push(row(name, target.sign_texts(&header, text)));
    }
    let token = &target.bob.token;
    rows.extend((1..token.len()).step_by(9).map(|end| row(format!("cut after {end}"), token[..end].to_owned())));
    rows.extend((1..40).map(|cut| row(format!("{cut} cut off"), token[..token.len() - cut].to_owned())));
    rows
}

/// Blanks at the end of a JSON text, so that its base64 is not a whole number of groups.
fn uneven(text: &str) -> String {
    let mut text = text.to_owned();
    while text.len() % 3 != 1 {
        text.push(' ');
    }
    text
}

fn padded(text: &str) -> String {
    base64::engine::general_purpose::URL_SAFE.encode(uneven(text))
}

/// Base64 whose unused last bits are not zero.
fn loose(text: &str) -> String {
    next_last(&encode(uneven(text)))
}

/// The same with the next character of the alphabet at its end, which decodes to the same where bits are unused.
fn next_last(text: &str) -> String {
    let (rest, last) = text.split_at(text.len() - 1);
    let at = BASE64URL.find(last).expect("a character of base64url");
    format!("{rest}{}", &BASE64URL[at + 1..=at + 1])
}

/// An object in the alphabet of base64 that JWTs do not use.
fn standard(object: &Value) -> String {
    let text = with(object, "x", json!("???>>>~~~ÿÿÿ")).to_string();
    let encoded = STANDARD_NO_PAD.encode(text);
    assert!(encoded.contains('/') || encoded.contains('+'), "the row needs such a character: {encoded}");
    encoded
}

fn sizes(target: &Target) -> Vec<Row> {
    let mut rows = Vec::new();
    for kilobytes in [16, 24, 32, 48, 60, 63] {
        let length = kilobytes * 1024;
        let filler = "x".repeat((length - 2000) * 3 / 4);
        rows.push(row(format!("{kilobytes} KiB of claims"), target.with_claim("x", json!(filler))));
        rows.push(row(format!("{kilobytes} KiB of header"), target.with_header("x", json!(filler))));
        rows.push(row(format!("{kilobytes} KiB of a"), "a".repeat(length)));
        rows.push(row(format!("{kilobytes} KiB of dots"), ".".repeat(length)));
        rows.push(row(format!("{kilobytes} KiB of parts"), "a.".repeat(length / 2)));
        let signature = "A".repeat(length - 2000);
        rows.push(row(format!("{kilobytes} KiB of signature"), format!("{}{signature}", target.bob.token)));
        let deep = format!("{}{}", "[".repeat(filler.len() / 2), "]".repeat(filler.len() / 2));
        rows.push(row(format!("{kilobytes} KiB of brackets"), target.with_raw_claim("x", &deep)));
    }
    rows
}

fn other_tokens(target: &Target) -> Vec<Row> {
    let grant = renew(&target.server, refresh_token(&target.bob.grant));
    let stranger = Server::start().sign_up("bob@example.com");
    vec![
        row("a refresh token", refresh_token(&target.bob.grant).to_owned()),
        row("the live refresh token", refresh_token(&grant).to_owned()),
        row("another installation's token", stranger.token.clone()),
        row("another installation's refresh token", refresh_token(&stranger.grant).to_owned()),
        row("the jti", target.claims["jti"].as_str().expect("a jti").to_owned()),
        row("null", "null".to_owned()),
        row("undefined", "undefined".to_owned()),
    ]
}

#[track_caller]
fn expect_table_refused(algorithm: &str) {
    let target = Target::of(algorithm);
    // Whoever would fetch a key from here would be seen.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a mode");
    let url = format!("http://{}/jwks.json", listener.local_addr().expect("an address"));
    let table = [
        algorithms(&target),
        public_secrets(&target),
        signatures(&target),
        keys_brought_along(&target, &url),
        headers(&target),
        kids(&target),
        claims(&target),
        duplicates(&target),
        encodings(&target),
        sizes(&target),
        other_tokens(&target),
    ];
    target.expect_all_refused(&table.concat());
    let fetched = listener.accept().map(|_| ()).map_err(|fault| fault.kind());
    assert_eq!(fetched, Err(ErrorKind::WouldBlock), "a key was fetched from the attacker");
}

#[test]
fn every_forged_token_is_refused_under_hs256() {
    expect_table_refused("HS256");
}

#[test]
fn every_forged_token_is_refused_under_eddsa() {
    expect_table_refused("EdDSA");
}

#[test]
fn every_forged_token_is_refused_under_es256() {
    expect_table_refused("ES256");
}

#[test]
fn every_forged_token_is_refused_under_rs256() {
    expect_table_refused("RS256");
}

#[test]
fn the_table_s_own_way_of_signing_makes_good_tokens() {
    for algorithm in ["HS256", "EdDSA", "ES256", "RS256"] {
        let target = Target::of(algorithm);
        for (name, token) in [
            ("a further claim", target.with_claim("x", json!("y"))),
            ("a further header member", target.with_header("x", json!("y"))),
            ("typ in full", target.with_header("typ", json!("application/at+jwt"))),
            ("typ in capitals", target.with_header("typ", json!("AT+JWT"))),
            ("an array of audiences", target.with_claim("aud", json!(["other", "keyfob"]))),
            ("a nbf that has passed", target.with_claim("nbf", json!(now_seconds() - 1))),
            (
                "blanks in the JSON",
                target.sign_texts(uneven(&target.header.to_string()), uneven(&target.claims.to_string())),
            ),
            ("a key offered but not used", target.with_header("jku", json!("http://127.0.0.1:1/jwks.json"))),
            ("six KiB", target.with_claim("x", json!("x".repeat(4000)))),
        ] {
            let answer = target.me(&token);
            assert_eq!(answer.status, 200, "{algorithm}, {name}: {answer}");
        }
    }
}

#[test]
fn a_crit_of_null_is_no_list_and_refused() {
    // RFC 7515 §4.1.11: the value must be a list of names that is not empty.
    let target = Target::of("EdDSA");
    target.me(&target.with_header("crit", json!(null))).expect_invalid_token();
}

#[test]
fn a_claim_that_nobody_knows_twice_is_refused_or_harmless() {
    let target = Target::of("HS256");
    let rest = target.claims.to_string();
    let twice = format!("{},\"x\":1,\"x\":2}}", &rest[..rest.len() - 1]);
    let answer = target.me(&target.sign_texts(target.header.to_string(), twice));
    match answer.status {
        200 => drop(answer.expect_json(200)),
        _ => answer.expect_invalid_token(),
    }
}

#[test]
fn blanks_and_line_ends_around_or_inside_a_token_are_refused() {
    let target = Target::of("EdDSA");
    let token = &target.bob.token;
    let (front, back) = token.split_at(token.len() / 2);
    for value in
        [format!("{front} {back}"), format!("{front}\t{back}"), format!("{token} x"), format!("{token}\t{token}")]
    {
        let request =
            format!("GET /me HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {value}\r\n\r\n", target.server.address);
        Wire::exchange(&target.server.address, request.as_bytes()).expect_invalid_token();
    }
    target.me(token).expect_json(200);
}

#[test]
fn two_authorization_headers_are_refused() {
    let target = Target::of("EdDSA");
    let token = &target.bob.token;
    for second in [format!("Bearer {token}"), "Bearer x".to_owned(), "Basic Og==".to_owned()] {
        let request = target.server.request("GET", "/me").header("authorization", &format!("Bearer {token}"));
        request.header("authorization", &second).send().expect_invalid_token();
    }
}

#[test]
fn an_access_token_is_no_refresh_token_and_a_refresh_token_is_no_access_token() {
    for algorithm in ["HS256", "EdDSA"] {
        let target = Target::of(algorithm);
        expect_refused(&target.server, &target.bob.token);
        expect_refused(&target.server, &target.with_header("typ", json!("rt+jwt")));
        target.me(refresh_token(&target.bob.grant)).expect_invalid_token();
        renew(&target.server, refresh_token(&target.bob.grant));
    }
}

#[test]
fn a_forged_token_revokes_nothing_and_is_inactive() {
    let target = Target::of("EdDSA");
    let api = crate::steps::App::add(&target.server.home, "api", &[]);
    let table = [algorithms(&target), public_secrets(&target), signatures(&target), kids(&target), duplicates(&target)];
    for (name, token) in table.concat() {
        let answer = target.server.request("POST", "/revoke").form(&[("token", &token)]).send();
        assert_eq!((answer.status, answer.text()), (200, "{}"), "{name}: {answer}");
        assert_eq!(api.introspect(&target.server, &token), json!({"active": false}), "{name}");
    }
    target.bob.get("/me").expect_json(200);
    renew(&target.server, refresh_token(&target.bob.grant));
}

#[test]
fn a_good_token_seen_before_does_not_open_the_door_to_a_changed_one() {
    let target = Target::of("ES256");
    let parts: Vec<&str> = target.bob.token.split('.').collect();
    for _ in 0..3 {
        target.me(&target.bob.token).expect_json(200);
    }
    let other = encode(with(&target.claims, "sub", json!("2")).to_string());
    target.me(&format!("{}.{other}.{}", parts[0], parts[2])).expect_invalid_token();
    target.me(&format!("{}.{}.", parts[0], parts[1])).expect_invalid_token();
    target.me(&target.bob.token).expect_json(200);
}
