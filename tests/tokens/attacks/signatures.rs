//! Rows of the table: other algorithms, public keys as secrets, altered and foreign signatures.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Row, Target, encode, hmac_sha256, row, with, without};
use crate::keychain::TestKey;
use crate::steps::published_keys;

/// A changed header, with signatures that a careless library might take.
fn unsigned_or_signed(target: &Target, name: &str, header: &Value) -> Vec<Row> {
    let good = target.bob.token.rsplit('.').next().expect("a signature");
    let text = format!("{}.{}", encode(header.to_string()), encode(target.claims.to_string()));
    let own = encode(target.signature(&text));
    [("no signature", ""), ("a short signature", "AAAA"), ("the old signature", good), ("the server's signature", &own)]
        .map(|(how, signature)| row(format!("{name}, {how}"), format!("{text}.{signature}")))
        .to_vec()
}

pub(super) fn algorithms(target: &Target) -> Vec<Row> {
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
pub(super) fn public_secrets(target: &Target) -> Vec<Row> {
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

pub(super) fn signatures(target: &Target) -> Vec<Row> {
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
