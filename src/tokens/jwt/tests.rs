use aws_lc_rs::hmac::{self, HMAC_SHA256};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "keyfob";
const SECRET: [u8; 32] = [7; 32];
const NOW_SECONDS: i64 = 1_795_294_680;
/// The alphabet of base64url (RFC 4648 §5).
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn key(algorithm: Algorithm) -> JwtKey {
    let material = match algorithm {
        Algorithm::HS256 => KeyMaterial::from_bytes(algorithm, &SECRET),
        other => KeyMaterial::generate(other),
    };
    JwtKey::new("kid", &material.expect("a key")).expect("usable")
}

/// Checks under a key that is found for any `kid`.
fn checked(token: &str, key: &JwtKey) -> Result<Value, Refusal> {
    let now = Timestamp::from_millis(NOW_SECONDS * 1000);
    check(token, |_| Some(key), ISSUER, AUDIENCE, now).map(|claims| serde_json::to_value(claims).expect("JSON"))
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "41", "aud": AUDIENCE, "exp": NOW_SECONDS + 900, "iat": NOW_SECONDS, "jti": "id",
        "client_id": "keyfob", "scope": "profile posts", "sid": "7", "gen": 2,
    })
}

fn header() -> Value {
    json!({ "alg": "HS256", "typ": "at+jwt", "kid": "kid" })
}

/// An object with another value of one member, or without it.
fn with_member(mut object: Value, name: &str, value: Option<&Value>) -> Value {
    let members = object.as_object_mut().expect("an object");
    members.remove(name);
    members.extend(value.map(|value| (name.to_owned(), value.clone())));
    object
}

/// A token with this header, these claims and a valid HS256 signature.
fn signed(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = hmac::sign(&hmac::Key::new(HMAC_SHA256, &SECRET), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn issued(key: &JwtKey) -> String {
    let token = key.sign(&serde_json::from_value(claims()).expect("claims")).expect("signed");
    assert_eq!(checked(&token, key), Ok(claims()));
    token
}

#[test]
fn no_token_with_one_change_is_accepted_under_any_algorithm() {
    for algorithm in [Algorithm::HS256, Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256] {
        let key = key(algorithm);
        let token = issued(&key);
        proptest!(crate::testing::properties::config(), |(change in crate::testing::properties::change())| {
            let changed = change.of(&token);
            prop_assert_eq!(checked(&changed, &key).is_ok(), changed == token, "{}", changed);
        });
    }
}

#[test]
fn the_bits_that_the_last_letter_of_a_part_does_not_need_are_not_free() {
    for algorithm in [Algorithm::HS256, Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256] {
        let key = key(algorithm);
        let token = issued(&key);
        let dots = token.match_indices('.').map(|(at, _)| at);
        for end in dots.chain([token.len()]) {
            let accepted: String = LETTERS
                .chars()
                .filter(|letter| checked(&format!("{}{letter}{}", &token[..end - 1], &token[end..]), &key).is_ok())
                .collect();
            assert_eq!(accepted, token[end - 1..end], "{algorithm:?}, before {end}");
        }
    }
}

/// Any JSON, and values from valid tokens.
fn value() -> impl Strategy<Value = Value> {
    let known = ["HS256", "none", "EdDSA", "AT+JWT", "application/at+jwt", "JWT", ISSUER, AUDIENCE, "7", "", "posts"];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (NOW_SECONDS - 9..NOW_SECONDS + 9).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(known.to_vec()).prop_map(Value::from),
        prop::collection::vec(prop::sample::select(known.to_vec()), 0..3).prop_map(Value::from),
        any::<String>().prop_map(|name| json!({ name: 1 })),
    ]
}

proptest! {
    #![proptest_config(crate::testing::properties::config())]

    #[test]
    fn whatever_is_sent_is_refused(
        text in prop_oneof![
            any::<String>(), "[A-Za-z0-9_.=-]{0,120}",
            "ey[A-Za-z0-9_-]{0,40}\\.ey[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,43}",
        ],
        header in value(), claims in value(), signature in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let key = key(Algorithm::HS256);
        prop_assert!(checked(&text, &key).is_err());
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let good = encode(self::header().to_string().as_bytes());
        let (header, claims) = (encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        for header in [header, good] {
            let token = [header, claims.clone(), encode(&signature)].join(".");
            prop_assert!(checked(&token, &key).is_err());
        }
    }

    #[test]
    fn a_signed_header_is_accepted_only_as_we_write_it(other in prop::option::weighted(0.9, value())) {
        let key = key(Algorithm::HS256);
        for name in ["alg", "typ", "kid", "crit", "b64", "jku", "jwk", "cty", "x"] {
            let header = with_member(header(), name, other.as_ref());
            if checked(&signed(&header, &claims()), &key).is_ok() {
                prop_assert_eq!(&header["alg"], "HS256");
                prop_assert!(header["kid"].is_string() && header.get("crit").is_none());
                let kind = header["typ"].as_str().map(str::to_ascii_lowercase);
                prop_assert!(matches!(kind.as_deref(), Some("at+jwt" | "application/at+jwt")));
            }
        }
    }

    #[test]
    fn signed_claims_are_accepted_only_whole_ours_and_in_time_and_come_back(
        other in prop::option::weighted(0.9, value()),
    ) {
        let key = key(Algorithm::HS256);
        for name in ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "sid", "gen", "x"] {
            let mut sent = with_member(claims(), name, other.as_ref());
            let read = checked(&signed(&header(), &sent), &key);
            prop_assert!(name != "x" || read.is_ok(), "unknown claims are let pass");
            let Ok(read) = read else { continue };
            prop_assert!(other.is_some() || ["nbf", "gen", "x"].contains(&name), "accepted without {}", name);
            let members = sent.as_object_mut().expect("an object");
            members.remove("x");
            members.entry("gen").or_insert(json!(0));
            members.retain(|name, value| name != "nbf" || !value.is_null());
            prop_assert_eq!(&read, &sent);
            prop_assert!(read["iss"] == ISSUER && read["exp"].as_i64() > Some(NOW_SECONDS));
            let is_among = |all: &Vec<Value>| all.contains(&json!(AUDIENCE));
            prop_assert!(read["aud"] == AUDIENCE || read["aud"].as_array().is_some_and(is_among));
            for start in ["iat", "nbf"] {
                prop_assert!(read[start].as_i64() <= Some(NOW_SECONDS + CLOCK_SKEW_SECONDS));
            }
        }
    }
}

#[test]
fn a_token_with_a_good_signature_and_nothing_changed_is_accepted() {
    assert_eq!(checked(&signed(&header(), &claims()), &key(Algorithm::HS256)), Ok(claims()));
}
