//! bcrypt hashes: our own, and those of a password that was transformed first.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::STANDARD;
use bcrypt::BASE_64;
use secrecy::zeroize::Zeroizing;

use super::{HashFault, number};

/// The highest cost, some seconds of work, so that one line of an imported file cannot block all logins.
const MAX_BCRYPT_COST: u32 = 18;
/// Length of a salt and of a digest in a bcrypt hash, in characters, and the number of unused bits in the last one.
const BCRYPT_SALT: (usize, u32) = (22, 4);
const BCRYPT_DIGEST: (usize, u32) = (31, 2);

/// bcrypt of a password, or of a digest of it.
pub(crate) struct BcryptHash {
    pub cost: u32,
    pub salt: [u8; 16],
    pub digest: [u8; 23],
    /// Whether it was stored in exactly the form of [`encode_bcrypt`].
    pub is_as_ours: bool,
    pub(super) prehash: Prehash,
}

/// How a password is transformed before bcrypt, which takes 72 bytes only.
pub(super) enum Prehash {
    Nothing,
    /// Django's `bcrypt_sha256`: SHA-256 in hexadecimal digits.
    Hex,
    /// The first version of passlib's `bcrypt_sha256`: SHA-256 in base64.
    Base64,
    /// The second version: HMAC-SHA-256 in base64, keyed with the salt's characters.
    KeyedBase64(String),
}

impl BcryptHash {
    /// `$2x$` marks hashes of a library that read non-ASCII characters as negative numbers. For all other passwords the
    /// hash is the same, so these can be compared; a password with such a character counts as wrong.
    pub(super) fn parse(version: &str, cost: &str, body: &str, prehash: Prehash) -> Result<Self, HashFault> {
        if !matches!(version, "2a" | "2b" | "2x" | "2y") || cost.len() != 2 {
            return Err(HashFault::Unknown);
        }
        let (salt, digest) = body.split_at_checked(BCRYPT_SALT.0).ok_or(HashFault::Unknown)?;
        Self::assemble(cost, &canonical(salt, BCRYPT_SALT)?, digest, prehash)
    }

    /// `$bcrypt-sha256$2b,12$salt$digest` and `$bcrypt-sha256$v=2,t=2b,r=12$salt$digest`.
    pub(super) fn parse_passlib(parameters: &str, salt: &str, digest: &str) -> Result<Self, HashFault> {
        let salt = canonical(salt, BCRYPT_SALT)?;
        match parameters.split(',').collect::<Vec<_>>().as_slice() {
            ["2a" | "2b", cost] => Self::assemble(cost, &salt, digest, Prehash::Base64),
            ["v=2", "t=2b", rounds] => {
                let cost = rounds.strip_prefix("r=").ok_or(HashFault::Unknown)?;
                Self::assemble(cost, &salt, digest, Prehash::KeyedBase64(salt.clone()))
            }
            _ => Err(HashFault::Unknown),
        }
    }

    fn assemble(cost: &str, salt: &str, digest: &str, prehash: Prehash) -> Result<Self, HashFault> {
        let cost = number(cost).filter(|cost| (4..=31).contains(cost)).ok_or(HashFault::Unknown)?;
        if cost > MAX_BCRYPT_COST {
            return Err(HashFault::TooCostly);
        }
        let (salt, digest) = (decode(salt)?, decode(&canonical(digest, BCRYPT_DIGEST)?)?);
        Ok(Self { cost, salt, digest, is_as_ours: false, prehash })
    }

    /// The input of bcrypt for a password.
    pub(crate) fn prepare(&self, password: &str) -> Zeroizing<Vec<u8>> {
        let bytes = password.as_bytes();
        Zeroizing::new(match &self.prehash {
            Prehash::Nothing => bytes.to_vec(),
            Prehash::Hex => hex::encode(digest(&SHA256, bytes)).into_bytes(),
            Prehash::Base64 => STANDARD.encode(digest(&SHA256, bytes)).into_bytes(),
            Prehash::KeyedBase64(salt) => {
                let mac = sign(&Key::new(HMAC_SHA256, salt.as_bytes()), bytes);
                STANDARD.encode(mac).into_bytes()
            }
        })
    }
}

/// As our own hashes are stored.
pub(crate) fn encode_bcrypt(cost: u32, salt: &[u8; 16], digest: &[u8; 23]) -> String {
    format!("$2b${cost:02}${}{}", BASE_64.encode(salt), BASE_64.encode(digest))
}

/// Reads digits without stray bits.
fn decode<const LENGTH: usize>(text: &str) -> Result<[u8; LENGTH], HashFault> {
    BASE_64.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(HashFault::Unknown)
}

/// Digits of bcrypt's base64 with the unused bits cleared: passlib once wrote them at random, other libraries ignore
/// them.
fn canonical(text: &str, (length, spare_bits): (usize, u32)) -> Result<String, HashFault> {
    let digits = BCRYPT.as_str();
    let last = text.chars().next_back().and_then(|digit| digits.find(digit)).ok_or(HashFault::Unknown)?;
    let cleared = digits.chars().nth(last >> spare_bits << spare_bits);
    let head = text.get(..length - 1).filter(|head| head.chars().all(|digit| digits.contains(digit)));
    match (head, cleared) {
        (Some(head), Some(cleared)) if text.len() == length => Ok(format!("{head}{cleared}")),
        _ => Err(HashFault::Unknown),
    }
}
