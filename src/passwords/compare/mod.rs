//! Compares a password with a hash, at the same cost for every wrong password. The only file that knows `bcrypt`.
//!
//! A wrong password costs as much as the costliest stored hash, in each algorithm separately: after the comparison with
//! an account's own hash, dummy work makes up the difference. So the response time reveals neither whether an account
//! exists nor where its hash comes from. A right password is answered as soon as it is found right.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::formats::{BcryptHash, IMPORTED_ARGON2_KIB, KeptHash, LEAST_ARGON2_KIB, spend_argon2, spend_pbkdf2};
use super::work::Work;
use crate::metrics::PasswordWork;
use crate::unicode::nfc;

/// bcrypt reads no more bytes than this.
pub(super) const MAX_BYTES: usize = 72;
/// The lowest cost of bcrypt; its work is 2 to the power of the cost.
const LEAST_BCRYPT_COST: u32 = 4;

/// Which form of a password was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// In NFC, as in all new hashes.
    Nfc,
    /// As typed, in another form: the hash was made from that form.
    AsTyped,
}

/// Compares and hashes; shared by all threads.
pub(super) struct Comparer {
    cost: u32,
    /// The work of every comparison that finds the password wrong.
    most: Mutex<Work>,
    /// Held while a hash is compared that needs more memory than each thread may take.
    large: Mutex<()>,
    counted: OnceLock<PasswordWork>,
}

impl Comparer {
    /// Hashes with bcrypt at that cost; no stored hash is known yet.
    pub(super) fn new(cost: u32) -> Self {
        let most = Mutex::new(Work::of_bcrypt(cost));
        Self { cost, most, large: Mutex::default(), counted: OnceLock::new() }
    }

    /// Counts the work from now on.
    pub(super) fn watch(&self, counted: PasswordWork) {
        let _ = self.counted.set(counted);
    }

    /// Learns the work of the stored hashes, in place of what was known.
    pub(super) fn learn(&self, kept: impl Iterator<Item = Work>) {
        *self.most() = kept.fold(Work::of_bcrypt(self.cost), Work::max);
    }

    /// Hashes a password that is in NFC, for storing. Its length was checked when it was parsed, so nothing is cut
    /// (bcrypt 0.19 cuts silently).
    pub(super) fn hash(&self, password: &str) -> Option<String> {
        let hash = bcrypt::hash(password, self.cost);
        self.count(Work::of_bcrypt(self.cost));
        hash.inspect_err(|error| tracing::error!(cause = %error, "bcrypt failed")).ok()
    }

    /// Whether the password is right for that hash, and in which form; without a hash the work is the same. A password
    /// that is not in NFC is compared twice, for every account.
    pub(super) fn compare(&self, password: &str, kept: Option<&KeptHash>) -> (Option<Reading>, Work) {
        let own = kept.map(KeptHash::work).unwrap_or_default();
        let most = {
            let mut most = self.most();
            // The hash may be newer than the last look at the stored hashes.
            *most = most.max(own);
            *most
        };
        let mut spent = Work::default();
        let composed = nfc(password);
        let readings = [(&*composed, Reading::Nfc), (password, Reading::AsTyped)];
        let readings = readings.into_iter().take(if composed == password { 1 } else { 2 });
        let mut right = readings.filter(|(text, _)| self.is_right(text, kept, most, &mut spent));
        let reading = right.next().map(|(_, reading)| reading);
        drop(right);
        self.count(spent);
        (reading, spent)
    }

    /// The new hash for a password just found right, if its hash should be replaced and bcrypt would not cut the
    /// password.
    pub(super) fn renew(&self, password: &str, kept: &KeptHash, reading: Reading) -> Option<String> {
        let is_as_ours = matches!(kept, KeptHash::Bcrypt(hash) if hash.is_as_ours && hash.cost == self.cost);
        let composed = nfc(password);
        let is_due = !is_as_ours || reading == Reading::AsTyped;
        if is_due && composed.len() <= MAX_BYTES { self.hash(&composed) } else { None }
    }

    fn is_right(&self, password: &str, kept: Option<&KeptHash>, most: Work, spent: &mut Work) -> bool {
        let own = kept.map(KeptHash::work).unwrap_or_default();
        let is_right = match kept {
            None => false,
            Some(KeptHash::Bcrypt(hash)) => is_right_bcrypt(password, hash),
            Some(KeptHash::Other(hash)) => {
                let _alone = hash.is_large().then(|| self.large.lock().unwrap_or_else(PoisonError::into_inner));
                hash.is_right(password)
            }
        };
        spent.add(own);
        if !is_right {
            make_up(password, own, most, spent);
        }
        is_right
    }

    fn most(&self) -> MutexGuard<'_, Work> {
        self.most.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, work: Work) {
        if let Some(counted) = self.counted.get() {
            counted.count(work.bcrypt_rounds, work.pbkdf2_iterations, work.argon2.kib);
        }
    }
}

/// A password too long for bcrypt is still compared, cut, and then counts as wrong: the work reveals nothing.
fn is_right_bcrypt(password: &str, kept: &BcryptHash) -> bool {
    let input = kept.prepare(password);
    let fits = input.len() <= MAX_BYTES;
    bcrypt::verify(&input, &kept.canonical).unwrap_or(false) && fits
}

/// Makes up the difference between an account's own work and the maximum with dummy work.
fn make_up(password: &str, own: Work, most: Work, spent: &mut Work) {
    let rounds = most.bcrypt_rounds.saturating_sub(own.bcrypt_rounds);
    // From 2^c rounds to 2^m it takes 2^c, 2^(c+1) and so on up to 2^(m-1): the set bits of the difference.
    for cost in (LEAST_BCRYPT_COST..u64::BITS).filter(|cost| rounds >> cost & 1 == 1) {
        if bcrypt::hash(password, cost).is_ok() {
            spent.add(Work::of_bcrypt(cost));
        }
    }
    let iterations = most.pbkdf2_iterations.saturating_sub(own.pbkdf2_iterations);
    if let Ok(count) = u32::try_from(iterations)
        && spend_pbkdf2(password, count)
    {
        spent.pbkdf2_iterations += iterations;
    }
    make_up_argon2(password, most.argon2.kib.saturating_sub(own.argon2.kib), most.argon2.passes, spent);
}

/// Makes at least as many passes as the costliest hash, and more where a thread would otherwise take more memory than
/// an importable hash needs.
fn make_up_argon2(password: &str, missing_kib: u64, passes: u64, spent: &mut Work) {
    let passes = missing_kib.div_ceil(IMPORTED_ARGON2_KIB.into()).max(passes).max(1);
    let (kib, passes) = (u32::try_from(missing_kib / passes), u32::try_from(passes));
    if let (Ok(kib), Ok(passes)) = (kib, passes)
        && kib >= LEAST_ARGON2_KIB
        && spend_argon2(password, kib, passes)
    {
        spent.argon2.kib += u64::from(kib) * u64::from(passes);
        spent.argon2.passes += u64::from(passes);
    }
}

#[cfg(test)]
mod tests;
