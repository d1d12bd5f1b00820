//! The work of comparing a password with a hash.

/// The work of one comparison, by algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// 2 to the power of the cost.
    pub bcrypt_rounds: u64,
    pub pbkdf2_iterations: u64,
    pub argon2: Argon2Work,
}

/// The work of one Argon2 hash. Two are compared first by the memory they pass over in all: KiB times passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Argon2Work {
    pub kib: u64,
    pub passes: u64,
}

impl Work {
    /// The work of bcrypt at that cost.
    pub(super) fn of_bcrypt(cost: u32) -> Self {
        Self { bcrypt_rounds: 1_u64.checked_shl(cost).unwrap_or_default(), ..Self::default() }
    }

    pub(super) fn max(self, other: Self) -> Self {
        Self {
            bcrypt_rounds: self.bcrypt_rounds.max(other.bcrypt_rounds),
            pbkdf2_iterations: self.pbkdf2_iterations.max(other.pbkdf2_iterations),
            argon2: self.argon2.max(other.argon2),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.bcrypt_rounds += other.bcrypt_rounds;
        self.pbkdf2_iterations += other.pbkdf2_iterations;
        self.argon2.kib += other.argon2.kib;
        self.argon2.passes += other.argon2.passes;
    }
}
