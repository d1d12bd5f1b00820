//! Signing and checking access tokens. The only file that knows `jsonwebtoken`.
//!
//! No default of the library is trusted (jsonwebtoken 11: it ignores `typ`, `crit`, `nbf`, an absent `iss` or `aud`,
//! and accepts a token for a minute after `exp`). It checks the signature; this file checks everything else, by RFC
//! 8725.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};

use serde_json::{Map, Value};

use super::access::AccessToken;
use super::keys::{KeyError, KeyMaterial};
use crate::config::Algorithm;
use crate::db::Timestamp;

/// The `typ` of an access token (RFC 9068 §2.1).
const TYPE: &str = "at+jwt";
/// The same with its prefix, which is equivalent (RFC 9068 §4).
const TYPE_IN_FULL: &str = "application/at+jwt";
/// How far the clocks of two replicas may differ, in seconds. Applies to `nbf` and `iat`, never to `exp`.
pub(crate) const CLOCK_SKEW_SECONDS: i64 = 5;
/// Our tokens are never longer.
const MAX_TOKEN_BYTES: usize = 8192;

/// A key that signs and checks.
pub(crate) struct JwtKey {
    header: Header,
    signs: EncodingKey,
    checks: DecodingKey,
    validation: Validation,
}

/// A key that only checks signatures.
pub(crate) struct CheckingKey {
    algorithm: Algorithm,
    checks: DecodingKey,
}

impl CheckingKey {
    /// From a public JWK (RFC 7517 §4) that names its algorithm.
    pub(crate) fn from_jwk(jwk: &Value) -> Option<Self> {
        let algorithm = jwk.get("alg")?.as_str()?.parse().ok()?;
        let key: Jwk = serde_json::from_value(jwk.clone()).ok()?;
        Some(Self { algorithm, checks: DecodingKey::from_jwk(&key).ok()? })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the token bears this key's signature. Checks nothing else.
    pub(crate) fn has_signed(&self, token: &str) -> bool {
        let validation = signature_only(library_name(self.algorithm));
        decode::<Map<String, Value>>(token, &self.checks, &validation).is_ok()
    }
}

/// Why a token was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("The access token is not valid")]
    Invalid,
    #[error("The access token is not valid")]
    UnknownKey,
    #[error("The access token is not valid yet")]
    NotYetValid,
    #[error("The access token has expired")]
    Expired,
}

impl JwtKey {
    pub(crate) fn new(kid: &str, material: &KeyMaterial) -> Result<Self, KeyError> {
        let (signs, checks) = match material {
            KeyMaterial::EdDSA { pkcs8, public } => (EncodingKey::from_ed_der(pkcs8), DecodingKey::from_ed_der(public)),
            KeyMaterial::ES256 { pkcs8, public } => (EncodingKey::from_ec_der(pkcs8), DecodingKey::from_ec_der(public)),
            KeyMaterial::RS256 { pem, n, e, .. } => (
                EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| KeyError::Unusable)?,
                DecodingKey::from_rsa_raw_components(n, e),
            ),
            KeyMaterial::HS256 { secret } => (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret)),
        };
        let algorithm = library_name(material.algorithm());
        let mut header = Header::new(algorithm);
        header.typ = Some(TYPE.into());
        header.kid = Some(kid.into());
        Ok(Self { header, signs, checks, validation: signature_only(algorithm) })
    }

    /// The key that checks what this key has signed.
    pub(crate) fn checking(&self, algorithm: Algorithm) -> CheckingKey {
        CheckingKey { algorithm, checks: self.checks.clone() }
    }

    pub(crate) fn sign(&self, token: &AccessToken) -> Result<String, KeyError> {
        encode(&self.header, token, &self.signs).map_err(|_| KeyError::Unusable)
    }
}

/// Checks a token. `kid` selects the key; the key, not the token, determines the algorithm.
pub(crate) fn check<'k>(
    token: &str,
    find_key: impl FnOnce(&str) -> Option<&'k JwtKey>,
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<AccessToken, Refusal> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Refusal::Invalid);
    }
    let header = decode_header(token).map_err(|_| Refusal::Invalid)?;
    if !has_our_type(&header) || names_crit(token) {
        return Err(Refusal::Invalid);
    }
    let key = find_key(header.kid.as_deref().ok_or(Refusal::Invalid)?).ok_or(Refusal::UnknownKey)?;
    let claims = decode::<AccessToken>(token, &key.checks, &key.validation).map_err(|_| Refusal::Invalid)?.claims;
    check_claims(&claims, issuer, audience)?;
    check_times(&claims, now)?;
    Ok(claims)
}

/// Whether an accepted token is still valid. Also checks tokens whose signature was checked before.
pub(crate) fn check_times(claims: &AccessToken, now: Timestamp) -> Result<(), Refusal> {
    let now = now.seconds();
    if claims.expires_at <= now {
        return Err(Refusal::Expired);
    }
    let latest_start = now.saturating_add(CLOCK_SKEW_SECONDS);
    if claims.issued_at > latest_start || claims.not_before.is_some_and(|start| start > latest_start) {
        return Err(Refusal::NotYetValid);
    }
    Ok(())
}

fn check_claims(claims: &AccessToken, issuer: &str, audience: &str) -> Result<(), Refusal> {
    let is_ours = claims.iss == issuer && claims.aud.contains(audience);
    let is_whole = !claims.token_id.is_empty() && !claims.client_id.is_empty();
    if is_ours && is_whole { Ok(()) } else { Err(Refusal::Invalid) }
}

/// Whether the header has `crit` at all; the library does not distinguish none from `"crit": null`. We never write it.
fn names_crit(token: &str) -> bool {
    part(token, 0).is_none_or(|members| members.contains_key("crit"))
}

/// A part of the token, unchecked: 0 is the header, 1 the claims.
pub(crate) fn part(token: &str, index: usize) -> Option<Map<String, Value>> {
    let text = token.split('.').nth(index)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn has_our_type(header: &Header) -> bool {
    let is_ours = |kind: &str| kind.eq_ignore_ascii_case(TYPE) || kind.eq_ignore_ascii_case(TYPE_IN_FULL);
    header.typ.as_deref().is_some_and(is_ours)
}

/// A validation that checks only the signature, under that one algorithm. This file checks the claims.
fn signature_only(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn library_name(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::HS256 => jsonwebtoken::Algorithm::HS256,
    }
}

#[cfg(test)]
mod tests {
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
        let known =
            ["HS256", "none", "EdDSA", "AT+JWT", "application/at+jwt", "JWT", ISSUER, AUDIENCE, "7", "", "posts"];
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
}
