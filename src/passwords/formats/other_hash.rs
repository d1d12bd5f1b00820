//! Hashes that do not use bcrypt: PBKDF2 and Argon2id. The only file that knows `argon2`.

use std::hint::black_box;
use std::num::NonZeroU32;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};
use aws_lc_rs::digest::SHA256;
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{HashFault, number};

/// Limits on the cost of a hash, some seconds each, so that one line of an imported file cannot block all logins.
const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;
/// KiB of memory, and KiB times passes.
const MAX_ARGON2_KIB: u32 = 1 << 20;
const MAX_ARGON2_WORK_KIB: u64 = 1 << 23;
/// The memory that each hashing thread may take, in KiB: an Argon2 hash that needs more is not imported. Those already
/// stored are compared one at a time.
pub(in crate::passwords) const IMPORTED_ARGON2_KIB: u32 = 128 << 10;
/// The least memory of Argon2 (RFC 9106 §3.1), in KiB.
pub(in crate::passwords) const LEAST_ARGON2_KIB: u32 = 8;
/// The salt of dummy work.
const NO_SALT: &[u8] = b"nobody's own salt";

/// A hash that does not use bcrypt.
pub(crate) enum OtherHash {
    /// Django's `pbkdf2_sha256`.
    Pbkdf2 {
        iterations: NonZeroU32,
        salt: String,
        key: Vec<u8>,
    },
    Argon2 {
        hash: Box<PasswordHash>,
        kib: u32,
        passes: u32,
    },
}

impl OtherHash {
    /// `pbkdf2_sha256$iterations$salt$key`, with the salt used as written.
    pub(super) fn parse_pbkdf2(iterations: &str, salt: &str, key: &str) -> Result<Self, HashFault> {
        let iterations = number(iterations).and_then(NonZeroU32::new).ok_or(HashFault::Unknown)?;
        if iterations.get() > MAX_PBKDF2_ITERATIONS {
            return Err(HashFault::TooCostly);
        }
        let key = STANDARD.decode(key).ok().filter(|key| key.len() == SHA256.output_len());
        let key = key.filter(|_| !salt.is_empty()).ok_or(HashFault::Unknown)?;
        Ok(Self::Pbkdf2 { iterations, salt: salt.to_owned(), key })
    }

    pub(super) fn parse_argon2(text: &str) -> Result<Self, HashFault> {
        let hash = PasswordHash::new(text).map_err(|_| HashFault::Unknown)?;
        let params = Params::try_from(&hash).map_err(|_| HashFault::Unknown)?;
        let is_whole = hash.algorithm == Algorithm::Argon2id.ident() && hash.salt.is_some() && hash.hash.is_some();
        if !is_whole {
            return Err(HashFault::Unknown);
        }
        let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
        if params.m_cost() > MAX_ARGON2_KIB || work > MAX_ARGON2_WORK_KIB {
            return Err(HashFault::TooCostly);
        }
        Ok(Self::Argon2 { hash: Box::new(hash), kib: params.m_cost(), passes: params.t_cost() })
    }

    /// Whether it needs more memory than each thread may take.
    pub(crate) fn is_large(&self) -> bool {
        matches!(self, Self::Argon2 { kib, .. } if *kib > IMPORTED_ARGON2_KIB)
    }

    /// Whether the password is right. The comparison takes the same time for every wrong one.
    pub(crate) fn is_right(&self, password: &str) -> bool {
        let password = password.as_bytes();
        match self {
            Self::Pbkdf2 { iterations, salt, key } => {
                pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, *iterations, salt.as_bytes(), password, key).is_ok()
            }
            Self::Argon2 { hash, .. } => Argon2::default().verify_password(password, hash.as_ref()).is_ok(),
        }
    }
}

/// Does the work of PBKDF2 without a result; false when there is nothing to do.
pub(in crate::passwords) fn spend_pbkdf2(password: &str, iterations: u32) -> bool {
    let Some(iterations) = NonZeroU32::new(iterations) else { return false };
    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, NO_SALT, password.as_bytes(), &mut key);
    black_box(key);
    true
}

/// Does the work of Argon2id without a result; false when it cannot.
pub(in crate::passwords) fn spend_argon2(password: &str, kib: u32, passes: u32) -> bool {
    let Ok(params) = Params::new(kib, passes, 1, None) else { return false };
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut key = [0; 32];
    let is_done = argon2.hash_password_into(password.as_bytes(), NO_SALT, &mut key).is_ok();
    black_box(key);
    is_done
}
