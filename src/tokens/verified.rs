//! Tokens whose signature was checked before, so that EdDSA, ES256 and RS256 cost no more than HS256 from the second
//! request on. Expiry and the end of the session are still checked every time.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};

use super::access::AccessToken;

/// Maximum number of remembered tokens in each of two halves: about 10 MB when full.
const HALF: usize = 10_000;

/// A token's SHA-256, which cannot be used as a token.
type Fingerprint = [u8; 32];
type Half = HashMap<Fingerprint, Arc<AccessToken>>;

/// The remembered tokens. When the newer half is full it becomes the older one, and the tokens in the previous older
/// half are forgotten, unless they were used meanwhile.
#[derive(Default)]
pub(crate) struct VerifiedTokens(RwLock<Halves>);

#[derive(Default)]
struct Halves {
    newer: Half,
    older: Half,
    epoch: Epoch,
}

/// Identifies the keys that tokens are checked with. A token checked in an earlier epoch is not remembered in this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

impl VerifiedTokens {
    pub(crate) fn fingerprint(token: &str) -> Fingerprint {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        fingerprint
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.0.read().unwrap_or_else(PoisonError::into_inner).epoch
    }

    pub(crate) fn find(&self, fingerprint: &Fingerprint) -> Option<Arc<AccessToken>> {
        let halves = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = halves.newer.get(fingerprint) {
            return Some(Arc::clone(found));
        }
        let (found, epoch) = (Arc::clone(halves.older.get(fingerprint)?), halves.epoch);
        drop(halves);
        self.insert(*fingerprint, Arc::clone(&found), epoch);
        Some(found)
    }

    /// Remembers a token whose check began in that epoch, unless the epoch is over.
    pub(crate) fn insert(&self, fingerprint: Fingerprint, token: Arc<AccessToken>, epoch: Epoch) {
        let mut halves = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if halves.epoch != epoch {
            return;
        }
        if halves.newer.len() >= HALF {
            halves.older = std::mem::take(&mut halves.newer);
        }
        halves.newer.insert(fingerprint, token);
    }

    /// Forgets everything, including checks under way: the keys have changed.
    pub(crate) fn clear(&self) {
        let mut halves = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let epoch = Epoch(halves.epoch.0.wrapping_add(1));
        *halves = Halves { epoch, ..Halves::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Id;
    use crate::tokens::ScopeSet;
    use crate::tokens::access::Audience;

    fn token() -> Arc<AccessToken> {
        let id = Id::parse("1").expect("id");
        Arc::new(AccessToken {
            iss: String::new(),
            user_id: id,
            aud: Audience::One(String::new()),
            expires_at: 0,
            not_before: None,
            issued_at: 0,
            token_id: String::new(),
            client_id: String::new(),
            scope: ScopeSet::stored(String::new()),
            session_id: id,
            generation: 1,
        })
    }

    /// FIPS 180-2, appendix B.1.
    #[test]
    fn what_is_kept_of_a_token_is_its_sha_256() {
        let verified = VerifiedTokens::default();
        let fingerprint = VerifiedTokens::fingerprint("abc");
        let written: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(written, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        verified.insert(fingerprint, token(), verified.epoch());
        let halves = verified.0.read().expect("lock");
        assert_eq!(halves.newer.keys().collect::<Vec<_>>(), [&fingerprint]);
    }

    #[test]
    fn a_check_that_is_under_way_when_all_is_forgotten_is_not_remembered() {
        let (verified, fingerprint) = (VerifiedTokens::default(), VerifiedTokens::fingerprint("abc"));
        let begun = verified.epoch();
        verified.clear();
        verified.insert(fingerprint, token(), begun);
        assert!(verified.find(&fingerprint).is_none());
        verified.insert(fingerprint, token(), verified.epoch());
        assert!(verified.find(&fingerprint).is_some(), "the next check is");
    }

    #[test]
    fn it_never_grows_beyond_its_two_halves_and_keeps_what_is_asked_for() {
        let (verified, kept) = (VerifiedTokens::default(), VerifiedTokens::fingerprint("kept"));
        verified.insert(kept, token(), verified.epoch());
        for number in 0..5 * HALF {
            verified.insert(VerifiedTokens::fingerprint(&number.to_string()), token(), verified.epoch());
            if number % 1000 == 0 {
                assert!(verified.find(&kept).is_some(), "{number}");
            }
        }
        let halves = verified.0.read().expect("lock");
        assert!(halves.newer.len() <= HALF && halves.older.len() <= HALF);
        assert!(!halves.newer.contains_key(&VerifiedTokens::fingerprint("0")));
        assert!(!halves.older.contains_key(&VerifiedTokens::fingerprint("0")));
    }
}
