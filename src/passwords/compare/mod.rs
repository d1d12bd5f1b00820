//! Compares a password with a hash, at the same cost for every wrong password. The only room that computes bcrypt.
//!
//! A wrong password costs as much as the costliest stored hash, in each algorithm separately: after the comparison with
//! an account's own hash, dummy work makes up the difference. So the response time reveals neither whether an account
//! exists nor where its hash comes from. A right password is answered as soon as it is found right.
//!
//! The work is a [`PasswordTask`], which a thread carries on beside those of others. How fast it goes depends on how many
//! they are, but not on whose password is right, nor on the hashes: each has the same rounds of bcrypt before it.

mod make_up;
mod task;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

pub(super) use task::PasswordTask;

use super::choice::NotHashed;
use super::work::Work;
use crate::metrics::PasswordWork;

/// Which form of a password was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// In NFC, as in all new hashes.
    Nfc,
    /// As typed, in another form: the hash was made from that form.
    AsTyped,
}

/// What a task found and made.
#[derive(Default)]
pub(super) struct Outcome {
    /// The form in which the password is right; none if it is wrong, or was not compared.
    pub reading: Option<Reading>,
    /// The hash to store.
    pub hash: Option<String>,
    /// Why there is no hash to store.
    pub fault: Option<NotHashed>,
    pub spent: Work,
}

/// What all threads share.
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

    /// The work of every comparison with a wrong password, now that there is a hash with this work of its own. The hash
    /// may be newer than the last look at the stored hashes.
    fn most_with(&self, own: Work) -> Work {
        let mut most = self.most();
        *most = most.max(own);
        *most
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

#[cfg(test)]
mod tests;
