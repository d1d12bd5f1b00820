//! bcrypt hashes: our own, and those of a password that was transformed first.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{HashFault, number};

/// The highest cost, some seconds of work, so that one line of an imported file cannot block all logins.
const MAX_BCRYPT_COST: u32 = 18;
/// Length of a salt and of a digest in a bcrypt hash, in characters, and the number of unused bits in the last one.
const BCRYPT_SALT: (usize, u32) = (22, 4);
const BCRYPT_DIGEST: (usize, u32) = (31, 2);
/// bcrypt's own order of the base64 digits.
const BCRYPT_DIGITS: &str = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// bcrypt of a password, or of a digest of it.
pub(crate) struct BcryptHash {
    /// As the `bcrypt` crate reads it: `$2b$`, without stray bits.
    pub canonical: String,
    pub cost: u32,
    /// Whether it was stored in exactly this form.
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
        let canonical = format!("$2b${cost:02}${salt}{}", canonical(digest, BCRYPT_DIGEST)?);
        Ok(Self { canonical, cost, is_as_ours: false, prehash })
    }

    /// The input of bcrypt for a password.
    pub(crate) fn prepare<'p>(&self, password: &'p str) -> Cow<'p, [u8]> {
        let bytes = password.as_bytes();
        match &self.prehash {
            Prehash::Nothing => bytes.into(),
            Prehash::Hex => hex::encode(digest(&SHA256, bytes)).into_bytes().into(),
            Prehash::Base64 => STANDARD.encode(digest(&SHA256, bytes)).into_bytes().into(),
            Prehash::KeyedBase64(salt) => {
                let mac = sign(&Key::new(HMAC_SHA256, salt.as_bytes()), bytes);
                STANDARD.encode(mac).into_bytes().into()
            }
        }
    }
}

/// Digits of bcrypt's base64 with the unused bits cleared: passlib once wrote them at random, other libraries ignore
/// them, and bcrypt 0.19 refuses such a hash.
fn canonical(text: &str, (length, spare_bits): (usize, u32)) -> Result<String, HashFault> {
    let last = text.chars().next_back().and_then(|digit| BCRYPT_DIGITS.find(digit)).ok_or(HashFault::Unknown)?;
    let cleared = BCRYPT_DIGITS.chars().nth(last >> spare_bits << spare_bits);
    let head = text.get(..length - 1).filter(|head| head.chars().all(|digit| BCRYPT_DIGITS.contains(digit)));
    match (head, cleared) {
        (Some(head), Some(cleared)) if text.len() == length => Ok(format!("{head}{cleared}")),
        _ => Err(HashFault::Unknown),
    }
}
