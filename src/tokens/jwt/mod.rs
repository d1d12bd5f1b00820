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
mod tests;
