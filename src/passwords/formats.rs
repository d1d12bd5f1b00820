//! The formats of stored password hashes: our own, and those of the programs that accounts are imported from. The only
//! file that knows `argon2`; `compare.rs`, which calls this one, runs bcrypt itself.

use std::borrow::Cow;
use std::hint::black_box;
use std::num::NonZeroU32;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier, Version};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::compare::{Argon2Work, Work};

/// Limits on the cost of a hash, some seconds each, so that one line of an imported file cannot block all logins.
const MAX_BCRYPT_COST: u32 = 18;
const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;
/// KiB of memory, and KiB times passes.
const MAX_ARGON2_KIB: u32 = 1 << 20;
const MAX_ARGON2_WORK_KIB: u64 = 1 << 23;
/// The memory that each hashing thread may take, in KiB: an Argon2 hash that needs more is not imported. Those already
/// stored are compared one at a time.
pub(super) const IMPORTED_ARGON2_KIB: u32 = 128 << 10;
/// The least memory of Argon2 (RFC 9106 §3.1), in KiB.
pub(super) const LEAST_ARGON2_KIB: u32 = 8;
/// The salt of dummy work.
const NO_SALT: &[u8] = b"nobody's own salt";

/// Length of a salt and of a digest in a bcrypt hash, in characters, and the number of unused bits in the last one.
const BCRYPT_SALT: (usize, u32) = (22, 4);
const BCRYPT_DIGEST: (usize, u32) = (31, 2);
/// bcrypt's own order of the base64 digits.
const BCRYPT_DIGITS: &str = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A hash that a password can be compared with. It has no `Debug`, so it cannot be logged.
pub(crate) enum KeptHash {
    Bcrypt(BcryptHash),
    Other(OtherHash),
}

/// bcrypt of a password, or of a digest of it.
pub(crate) struct BcryptHash {
    /// As the `bcrypt` crate reads it: `$2b$`, without stray bits.
    pub canonical: String,
    pub cost: u32,
    /// Whether it was stored in exactly this form.
    pub is_as_ours: bool,
    prehash: Prehash,
}

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

/// How a password is transformed before bcrypt, which takes 72 bytes only.
enum Prehash {
    Nothing,
    /// Django's `bcrypt_sha256`: SHA-256 in hexadecimal digits.
    Hex,
    /// The first version of passlib's `bcrypt_sha256`: SHA-256 in base64.
    Base64,
    /// The second version: HMAC-SHA-256 in base64, keyed with the salt's characters.
    KeyedBase64(String),
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
            ["", version, cost, body] => BcryptHash::parse(version, cost, body, Prehash::Nothing)
                .map(|hash| Self::Bcrypt(BcryptHash { is_as_ours: hash.canonical == text, ..hash })),
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

/// Does the work of PBKDF2 without a result; false when there is nothing to do.
pub(super) fn spend_pbkdf2(password: &str, iterations: u32) -> bool {
    let Some(iterations) = NonZeroU32::new(iterations) else { return false };
    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, NO_SALT, password.as_bytes(), &mut key);
    black_box(key);
    true
}

/// Does the work of Argon2id without a result; false when it cannot.
pub(super) fn spend_argon2(password: &str, kib: u32, passes: u32) -> bool {
    let Ok(params) = Params::new(kib, passes, 1, None) else { return false };
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut key = [0; 32];
    let is_done = argon2.hash_password_into(password.as_bytes(), NO_SALT, &mut key).is_ok();
    black_box(key);
    is_done
}

impl BcryptHash {
    /// `$2x$` marks hashes of a library that read non-ASCII characters as negative numbers. For all other passwords the
    /// hash is the same, so these can be compared; a password with such a character counts as wrong.
    fn parse(version: &str, cost: &str, body: &str, prehash: Prehash) -> Result<Self, HashFault> {
        if !matches!(version, "2a" | "2b" | "2x" | "2y") || cost.len() != 2 {
            return Err(HashFault::Unknown);
        }
        let (salt, digest) = body.split_at_checked(BCRYPT_SALT.0).ok_or(HashFault::Unknown)?;
        Self::assemble(cost, &canonical(salt, BCRYPT_SALT)?, digest, prehash)
    }

    /// `$bcrypt-sha256$2b,12$salt$digest` and `$bcrypt-sha256$v=2,t=2b,r=12$salt$digest`.
    fn parse_passlib(parameters: &str, salt: &str, digest: &str) -> Result<Self, HashFault> {
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
            Prehash::Hex => hex(digest(&SHA256, bytes).as_ref()).into_bytes().into(),
            Prehash::Base64 => STANDARD.encode(digest(&SHA256, bytes)).into_bytes().into(),
            Prehash::KeyedBase64(salt) => {
                let mac = sign(&Key::new(HMAC_SHA256, salt.as_bytes()), bytes);
                STANDARD.encode(mac).into_bytes().into()
            }
        }
    }
}

impl OtherHash {
    /// `pbkdf2_sha256$iterations$salt$key`, with the salt used as written.
    fn parse_pbkdf2(iterations: &str, salt: &str, key: &str) -> Result<Self, HashFault> {
        let iterations = number(iterations).and_then(NonZeroU32::new).ok_or(HashFault::Unknown)?;
        if iterations.get() > MAX_PBKDF2_ITERATIONS {
            return Err(HashFault::TooCostly);
        }
        let key = STANDARD.decode(key).ok().filter(|key| key.len() == SHA256.output_len());
        let key = key.filter(|_| !salt.is_empty()).ok_or(HashFault::Unknown)?;
        Ok(Self::Pbkdf2 { iterations, salt: salt.to_owned(), key })
    }

    fn parse_argon2(text: &str) -> Result<Self, HashFault> {
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

/// A number in decimal digits, without a sign.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<HashFault> {
        KeptHash::parse(text).err()
    }

    #[test]
    fn unknown_and_damaged_hashes_are_refused() {
        let salt_and_digest = "Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
        for text in [
            "",
            "password",
            "$2b$04$",
            &format!("$2$04${salt_and_digest}"),
            &format!("$2c$04${salt_and_digest}"),
            &format!("$2b$4${salt_and_digest}"),
            &format!("$2b$+4${salt_and_digest}"),
            &format!("$2b$03${salt_and_digest}"),
            &format!("$2b$04${salt_and_digest}x"),
            &format!("$2b$04${}ü", salt_and_digest.trim_end_matches("em")),
            &format!("bcrypt$2b$04${salt_and_digest}"),
            "$bcrypt-sha256$v=3,t=2b,r=5$DamSpQVwrN/r4jNtFcCKEe$95QAX0YORVylXnNBr/LN/gedudmZVYG",
            "$bcrypt-sha256$v=2,t=2b,r=5$DamSpQVwrN/r4jNtFcCKEe$95QAX0YORVylXnNBr/LN/gedudmZVY",
            "pbkdf2_sha256$0$salt$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=",
            "pbkdf2_sha256$1000$$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=",
            "pbkdf2_sha256$1000$salt$",
            "pbkdf2_sha1$1000$salt$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=",
            "$argon2i$v=19$m=64,t=1,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI",
            "$argon2id$v=19$m=64,t=1,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg",
            "$argon2id$nonsense",
            "!unusable",
            "md5$salt$0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(fault(text), Some(HashFault::Unknown), "{text:?}");
        }
    }

    #[test]
    fn a_hash_that_takes_minutes_is_refused() {
        for text in [
            "$2b$31$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em",
            "pbkdf2_sha256$4000000000$salt$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=",
            "$argon2id$v=19$m=4000000,t=1,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI",
            "$argon2id$v=19$m=1024,t=9000000,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI",
        ] {
            assert_eq!(fault(text), Some(HashFault::TooCostly), "{text:?}");
        }
    }

    #[test]
    fn a_hash_that_takes_much_memory_is_not_let_in_and_one_that_is_kept_works() {
        let hash = |kib: u32| {
            let salt_and_digest = "Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI";
            format!("$argon2id$v=19$m={kib},t=1,p=1${salt_and_digest}")
        };
        assert!(KeptHash::parse_new(&hash(131_072)).is_ok());
        let fault = KeptHash::parse_new(&hash(131_073)).err();
        assert_eq!(fault, Some(HashFault::TooLarge(131_073)));
        assert!(fault.is_some_and(|fault| fault.to_string().contains("128 MiB")));
        let kept = KeptHash::parse(&hash(131_073));
        assert!(matches!(kept, Ok(KeptHash::Other(hash)) if hash.is_large()));
    }

    #[test]
    fn hashes_of_one_kind_begin_alike_and_have_the_same_work() {
        for (hash, expected) in [
            ("$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em", "$2b$04$"),
            ("bcrypt$$2b$04$FRcMMBdGMHdpgFLZ9KrZPexv.WQ3JzQd0IiYUkVFPej3vN6byXqbS", "bcrypt$$2b$04$"),
            ("$bcrypt-sha256$2a,4$nCEtkghlYHt3DbsznbeXKu$1Ttpj0XFX5jcPVB.F9n6Ib07ACBHwRK", "$bcrypt-sha256$2a,4$"),
            (
                "pbkdf2_sha256$1500$6MjShHtA0Nv5jiexbwXmsU$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=",
                "pbkdf2_sha256$1500$",
            ),
            (
                "argon2$argon2id$v=19$m=64,t=1,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI",
                "argon2$argon2id$v=19$m=64,t=1,p=1$",
            ),
            ("!unusable", "!"),
            ("$5$unusable", "$5$unusable"),
            ("", ""),
        ] {
            assert_eq!(kind(hash), expected);
        }
    }
}
