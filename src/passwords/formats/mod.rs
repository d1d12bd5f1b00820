//! The formats of stored password hashes: our own, and those of the programs that accounts are imported from.
//!
//! `other_hash.rs` is the only file that knows `argon2`. `compare/`, which calls this room, computes bcrypt itself.

mod bcrypt_hash;
mod other_hash;

use bcrypt_hash::Prehash;
pub(super) use bcrypt_hash::{BcryptHash, encode_bcrypt};
use other_hash::OtherHash;
pub(super) use other_hash::{IMPORTED_ARGON2_KIB, LEAST_ARGON2_KIB, spend_argon2, spend_pbkdf2};

use super::work::{Argon2Work, Work};

/// What an account without a password has in place of a hash: no password is right.
pub(crate) const NO_PASSWORD: &str = "!";

/// A hash that a password can be compared with. It has no `Debug`, so it cannot be logged.
pub(crate) enum KeptHash {
    Bcrypt(BcryptHash),
    Other(OtherHash),
}

/// Why a text cannot be stored as a hash. It never contains the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HashFault {
    /// The format is unknown, or the text is damaged.
    #[error(
        "Input should be a password hash in one of these formats: bcrypt ($2a$, $2b$, $2x$, $2y$), passlib's \
         $bcrypt-sha256$, Django's bcrypt$, bcrypt_sha256$ and pbkdf2_sha256$, $argon2id$"
    )]
    Unknown,
    /// A login would take far too long.
    #[error("This password hash takes too much work to verify at login")]
    TooCostly,
    /// As many logins at once as there are hashing threads would take too much memory.
    #[error("This Argon2 hash needs {0} KiB of memory: the limit is 131072 KiB (128 MiB)")]
    TooLarge(u32),
}

impl KeptHash {
    /// Reads a hash in any of the known formats.
    ///
    /// # Errors
    /// [`HashFault`] when it is in none of them, or costs too much.
    pub(crate) fn parse(text: &str) -> Result<Self, HashFault> {
        let parts: Vec<&str> = text.split('$').collect();
        match parts.as_slice() {
            ["", version, cost, body] => {
                let hash = BcryptHash::parse(version, cost, body, Prehash::Nothing)?;
                let is_as_ours = encode_bcrypt(hash.cost, &hash.salt, &hash.digest) == text;
                Ok(Self::Bcrypt(BcryptHash { is_as_ours, ..hash }))
            }
            ["bcrypt", "", version, cost, body] => {
                BcryptHash::parse(version, cost, body, Prehash::Nothing).map(Self::Bcrypt)
            }
            ["bcrypt_sha256", "", version, cost, body] => {
                BcryptHash::parse(version, cost, body, Prehash::Hex).map(Self::Bcrypt)
            }
            ["", "bcrypt-sha256", parameters, salt, digest] => {
                BcryptHash::parse_passlib(parameters, salt, digest).map(Self::Bcrypt)
            }
            ["pbkdf2_sha256", iterations, salt, key] => OtherHash::parse_pbkdf2(iterations, salt, key).map(Self::Other),
            // Django puts its own format name in front.
            ["" | "argon2", "argon2id", ..] => {
                OtherHash::parse_argon2(text.strip_prefix("argon2").unwrap_or(text)).map(Self::Other)
            }
            _ => Err(HashFault::Unknown),
        }
    }

    /// Reads a hash that is not stored yet.
    ///
    /// # Errors
    /// [`HashFault`], also when it takes too much memory.
    pub(crate) fn parse_new(text: &str) -> Result<Self, HashFault> {
        match Self::parse(text)? {
            Self::Other(OtherHash::Argon2 { kib, .. }) if kib > IMPORTED_ARGON2_KIB => Err(HashFault::TooLarge(kib)),
            kept => Ok(kept),
        }
    }

    /// The work of comparing a password with it.
    pub(super) fn work(&self) -> Work {
        match self {
            Self::Bcrypt(hash) => Work::of_bcrypt(hash.cost),
            Self::Other(OtherHash::Pbkdf2 { iterations, .. }) => {
                Work { pbkdf2_iterations: iterations.get().into(), ..Work::default() }
            }
            Self::Other(OtherHash::Argon2 { kib, passes, .. }) => {
                let passes = u64::from(*passes);
                Work { argon2: Argon2Work { kib: u64::from(*kib) * passes, passes }, ..Work::default() }
            }
        }
    }
}

/// The prefix that a hash shares with all others of its kind, whose work is the same: everything before the salt. For
/// an unreadable hash it is the first character, if no readable hash begins with that, or else the whole text.
pub(crate) fn kind(hash: &str) -> &str {
    if KeptHash::parse(hash).is_err() {
        let first = hash.chars().next().filter(|first| !"$abp".contains(*first));
        return first.and_then(|first| hash.get(..first.len_utf8())).unwrap_or(hash);
    }
    // The digest is the last part. The salt is in that part too, or in the one before.
    let has_salt_apart = ["$bcrypt-sha256$", "pbkdf2_", "$argon2", "argon2$"].iter().any(|name| hash.starts_with(name));
    let parts_after = if has_salt_apart { 2 } else { 1 };
    let end = hash.rmatch_indices('$').nth(parts_after - 1).map_or(hash.len(), |(at, _)| at + 1);
    hash.get(..end).unwrap_or(hash)
}

/// A number in decimal digits, without a sign.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
