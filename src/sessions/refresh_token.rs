//! Refresh tokens. They are derived, not stored.
//!
//! A token is `kfr_` and the base64url of: session id (8 bytes), generation (8), session secret (32), and the
//! HMAC-SHA256 (32) of the three under a key of the server. The session secret is made at login; the database keeps
//! only its SHA-256. So the successor of a presented token can be derived again if the response with it was lost, while
//! - an attacker who reads the database, server key included, lacks every session's secret and can make no token;
//! - an attacker who holds an old token lacks the server key and cannot make its successor.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::db::Id;
use crate::tokens::keys::{KeyError, random_bytes};

const PREFIX: &str = "kfr_";
const SECRET_BYTES: usize = 32;
/// Session id, generation and secret, before the MAC.
const MESSAGE_BYTES: usize = 16 + SECRET_BYTES;

/// The session's half of its refresh tokens: 256 random bits that only the client keeps.
#[derive(Clone)]
pub(crate) struct SessionSecret([u8; SECRET_BYTES]);

impl SessionSecret {
    pub(crate) fn generate() -> Result<Self, KeyError> {
        random_bytes().map(Self)
    }

    /// The SHA-256 that the database keeps.
    pub(crate) fn hash(&self) -> Vec<u8> {
        digest(&SHA256, &self.0).as_ref().to_vec()
    }

    pub(crate) fn matches(&self, hash: &[u8]) -> bool {
        verify_slices_are_equal(&self.hash(), hash).is_ok()
    }
}

/// A refresh token with a valid MAC: it was issued here, but may be used up.
#[derive(Clone)]
pub(crate) struct RefreshToken {
    pub(crate) session_id: Id,
    pub(crate) generation: i64,
    pub(crate) secret: SessionSecret,
}

/// Writes and reads refresh tokens.
pub(crate) struct RefreshTokens(Key);

impl RefreshTokens {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(Key::new(HMAC_SHA256, key))
    }

    /// A key for another purpose. The purpose is shorter than the message of a token, so their MACs never coincide.
    pub(crate) fn derive_key(&self, purpose: &str) -> Vec<u8> {
        sign(&self.0, purpose.as_bytes()).as_ref().to_vec()
    }

    /// Encodes the token of that session and generation; always the same one.
    pub(crate) fn write(&self, session_id: Id, generation: i64, secret: &SessionSecret) -> String {
        let mut bytes = Vec::with_capacity(MESSAGE_BYTES + 32);
        bytes.extend_from_slice(&session_id.get().to_be_bytes());
        bytes.extend_from_slice(&generation.to_be_bytes());
        bytes.extend_from_slice(&secret.0);
        let mac = sign(&self.0, &bytes);
        bytes.extend_from_slice(mac.as_ref());
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Decodes a token; `None` if it was not issued here.
    pub(crate) fn read(&self, token: &str) -> Option<RefreshToken> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (message, mac) = bytes.split_at_checked(MESSAGE_BYTES)?;
        verify(&self.0, message, mac).ok()?;
        let (session_id, rest) = message.split_first_chunk::<8>()?;
        let (generation, secret) = rest.split_first_chunk::<8>()?;
        Some(RefreshToken {
            session_id: Id::parse(&i64::from_be_bytes(*session_id).to_string())?,
            generation: i64::from_be_bytes(*generation),
            secret: SessionSecret(secret.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token_of(session_id: i64, generation: i64, secret: [u8; SECRET_BYTES]) -> String {
        let id = Id::from_number(session_id).expect("an id");
        RefreshTokens::new(&[7; 32]).write(id, generation, &SessionSecret(secret))
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn every_token_is_read_back(
            id in 1..=Id::MAX.get(), generation in any::<i64>(), secret in any::<[u8; SECRET_BYTES]>(),
        ) {
            let token = token_of(id, generation, secret);
            let read = RefreshTokens::new(&[7; 32]).read(&token).expect("ours");
            prop_assert_eq!((read.session_id.get(), read.generation, read.secret.0), (id, generation, secret));
        }

        #[test]
        fn no_changed_token_is_read(
            id in 1..=Id::MAX.get(), generation in 0..9_i64, change in crate::testing::properties::change(),
        ) {
            let token = token_of(id, generation, [5; SECRET_BYTES]);
            let changed = change.of(&token);
            prop_assert_eq!(RefreshTokens::new(&[7; 32]).read(&changed).is_some(), changed == token);
        }

        #[test]
        fn whatever_is_sent_is_no_token(
            text in prop_oneof![
                any::<String>(),
                "kfr_[A-Za-z0-9_=-]{0,120}",
                prop::collection::vec(any::<u8>(), 0..100).prop_map(|bytes| format!("kfr_{}", URL_SAFE_NO_PAD.encode(bytes))),
            ],
        ) {
            prop_assert!(RefreshTokens::new(&[7; 32]).read(&text).is_none());
        }
    }

    #[test]
    fn what_is_signed_but_names_no_session_is_no_token() {
        let tokens = RefreshTokens::new(&[7; 32]);
        for id in [0, -1, i64::MIN, Id::MAX.get() + 1] {
            let mut bytes = [id.to_be_bytes(), 1_i64.to_be_bytes()].concat();
            bytes.extend([5; SECRET_BYTES]);
            bytes.extend(sign(&tokens.0, &bytes).as_ref());
            assert!(tokens.read(&format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))).is_none(), "{id}");
        }
    }

    #[test]
    fn a_token_is_read_back_and_no_changed_one_is() {
        let tokens = RefreshTokens::new(&[7; 32]);
        let secret = SessionSecret::generate().expect("random");
        let id = Id::parse("41").expect("id");
        let token = tokens.write(id, 3, &secret);
        let read = tokens.read(&token).expect("ours");
        assert_eq!((read.session_id, read.generation), (id, 3));
        assert!(read.secret.matches(&secret.hash()));
        assert_eq!(token, tokens.write(id, 3, &secret), "the same token each time");

        assert!(RefreshTokens::new(&[8; 32]).read(&token).is_none(), "another server's");
        for at in 4..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ascii");
            assert!(tokens.read(&changed).is_none(), "changed at {at}");
        }
        assert!(tokens.read("").is_none() && tokens.read("kfr_").is_none() && tokens.read(&token[..60]).is_none());
    }
}
