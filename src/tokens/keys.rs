//! Signing keys: generated, or read from a PEM file or a configured secret.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pem::{EncodeConfig, LineEnding, Pem};
use serde_json::{Value, json};

use crate::config::Algorithm;

/// Length of a generated HS256 secret, in bytes.
const SECRET_BYTES: usize = 32;
/// Smaller RSA keys are refused (RFC 7518 §3.3), in bytes of the modulus.
const MIN_RSA_BYTES: usize = 256;

/// Why a key could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The cryptographic library refused it.
    #[error("the key cannot be used")]
    Unusable,
    /// The file is not PEM, or holds no private key.
    #[error("found no private key in PEM form (PKCS#8, or as openssl genrsa and openssl ecparam -genkey write it)")]
    NoPrivateKey,
    /// The key is of another kind than `token.algorithm` needs.
    #[error("the key does not fit {0} (EdDSA: Ed25519, ES256: P-256, RS256: RSA of at least 2048 bits)")]
    WrongKind(&'static str),
    /// The key in the database is sealed under another secret than the configured one.
    #[error("a key in the database is encrypted with another token.key_encryption_secret than the configured one")]
    Sealed,
    /// What the database holds is not a key.
    #[error("a key in the database is damaged")]
    Damaged,
}

/// Cryptographically secure random bytes.
///
/// # Errors
/// [`KeyError::Unusable`] when the system has no randomness.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    fill(&mut bytes).map_err(|_| KeyError::Unusable)?;
    Ok(bytes)
}

/// A key with everything that signing, checking and publishing need. Never printed.
#[derive(Clone)]
pub(crate) enum KeyMaterial {
    EdDSA { pkcs8: Vec<u8>, public: Vec<u8> },
    ES256 { pkcs8: Vec<u8>, public: Vec<u8> },
    RS256 { pkcs8: Vec<u8>, pem: String, n: Vec<u8>, e: Vec<u8> },
    HS256 { secret: Vec<u8> },
}

impl KeyMaterial {
    /// Generates a new key.
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let unusable = |_| KeyError::Unusable;
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::EdDSA => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).map_err(unusable)?;
                Self::from_bytes(algorithm, pkcs8.as_ref())
            }
            Algorithm::ES256 => {
                let pkcs8 =
                    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(unusable)?;
                Self::from_bytes(algorithm, pkcs8.as_ref())
            }
            Algorithm::RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(unusable)?;
                Self::from_rsa(&pair)
            }
            Algorithm::HS256 => Ok(Self::HS256 { secret: random_bytes::<SECRET_BYTES>()?.to_vec() }),
        }
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote: PKCS#8, or the secret for HS256.
    pub(crate) fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        let wrong = |_| KeyError::WrongKind(algorithm.as_str());
        match algorithm {
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::from_pkcs8(bytes).map_err(wrong)?;
                Ok(Self::EdDSA { pkcs8: bytes.to_vec(), public: pair.public_key().as_ref().to_vec() })
            }
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes).map_err(wrong)?;
                Ok(Self::ES256 { pkcs8: bytes.to_vec(), public: pair.public_key().as_ref().to_vec() })
            }
            Algorithm::RS256 => Self::from_rsa(&RsaKeyPair::from_pkcs8(bytes).map_err(wrong)?),
            Algorithm::HS256 => Ok(Self::HS256 { secret: bytes.to_vec() }),
        }
    }

    /// Reads a PEM file: PKCS#8, PKCS#1 (`openssl genrsa`), or SEC1 after its parameters (`openssl ecparam -genkey`).
    pub(crate) fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let wrong = |_| KeyError::WrongKind(algorithm.as_str());
        let blocks = pem::parse_many(text).map_err(|_| KeyError::NoPrivateKey)?;
        let key = blocks.iter().find(|block| block.tag().ends_with("PRIVATE KEY")).ok_or(KeyError::NoPrivateKey)?;
        match (key.tag(), algorithm) {
            ("PRIVATE KEY", _) => Self::from_bytes(algorithm, key.contents()),
            ("RSA PRIVATE KEY", Algorithm::RS256) => {
                Self::from_rsa(&RsaKeyPair::from_der(key.contents()).map_err(wrong)?)
            }
            ("EC PRIVATE KEY", Algorithm::ES256) => {
                let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_private_key_der(signing, key.contents()).map_err(wrong)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Unusable)?;
                Self::from_bytes(algorithm, pkcs8.as_ref())
            }
            ("RSA PRIVATE KEY" | "EC PRIVATE KEY", _) => Err(KeyError::WrongKind(algorithm.as_str())),
            _ => Err(KeyError::NoPrivateKey),
        }
    }

    /// The private key in its stored form.
    pub(crate) fn to_bytes(&self) -> &[u8] {
        match self {
            Self::EdDSA { pkcs8, .. } | Self::ES256 { pkcs8, .. } | Self::RS256 { pkcs8, .. } => pkcs8,
            Self::HS256 { secret } => secret,
        }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::EdDSA { .. } => Algorithm::EdDSA,
            Self::ES256 { .. } => Algorithm::ES256,
            Self::RS256 { .. } => Algorithm::RS256,
            Self::HS256 { .. } => Algorithm::HS256,
        }
    }

    /// The key's name: the thumbprint of its public part (RFC 7638); for a secret, a hash that does not reveal it.
    pub(crate) fn kid(&self) -> String {
        let canonical = match self.public_members() {
            Some(members) => members.to_string(),
            None => format!("keyfob kid {}", URL_SAFE_NO_PAD.encode(digest(&SHA256, self.to_bytes()))),
        };
        URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
    }

    /// The public key as a JWK (RFC 7517 §4); `None` for a secret, which is never published.
    pub(crate) fn jwk(&self, kid: &str) -> Option<Value> {
        let mut jwk = self.public_members()?;
        let more = json!({ "kid": kid, "use": "sig", "alg": self.algorithm().as_str() });
        if let (Some(all), Value::Object(more)) = (jwk.as_object_mut(), more) {
            all.extend(more);
        }
        Some(jwk)
    }

    /// The members that RFC 7638 §3.2 hashes, in its (alphabetical) order, which `serde_json`'s map keeps.
    fn public_members(&self) -> Option<Value> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::EdDSA { public, .. } => Some(json!({ "crv": "Ed25519", "kty": "OKP", "x": text(public) })),
            Self::ES256 { public, .. } => {
                // An uncompressed point: 4, then x and y of 32 bytes each.
                let (x, y) = public.get(1..)?.split_at_checked(32)?;
                Some(json!({ "crv": "P-256", "kty": "EC", "x": text(x), "y": text(y) }))
            }
            Self::RS256 { n, e, .. } => Some(json!({ "e": text(e), "kty": "RSA", "n": text(n) })),
            Self::HS256 { .. } => None,
        }
    }

    fn from_rsa(pair: &RsaKeyPair) -> Result<Self, KeyError> {
        if pair.public_modulus_len() < MIN_RSA_BYTES {
            return Err(KeyError::WrongKind(Algorithm::RS256.as_str()));
        }
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Unusable)?;
        let pkcs8 = der.as_ref().to_vec();
        let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
        let pem = pem::encode_config(&Pem::new("PRIVATE KEY", pkcs8.clone()), config);
        let public = pair.public_key();
        let n = public.modulus().big_endian_without_leading_zero().to_vec();
        let e = public.exponent().big_endian_without_leading_zero().to_vec();
        Ok(Self::RS256 { pkcs8, pem, n, e })
    }
}
