//! Dummy work that makes up the difference between an account's own work and the maximum.

use crate::passwords::formats::{IMPORTED_ARGON2_KIB, LEAST_ARGON2_KIB, spend_argon2, spend_pbkdf2};
use crate::passwords::work::Work;

/// The lowest cost of bcrypt; its work is 2 to the power of the cost.
const LEAST_BCRYPT_COST: u32 = 4;

/// The costs of the hashes that together are so many rounds. From 2^c rounds to 2^m it takes 2^c, 2^(c+1) and so on up
/// to 2^(m-1): the set bits of the difference.
pub(super) fn bcrypt_costs(own: Work, most: Work) -> impl Iterator<Item = u32> {
    let rounds = most.bcrypt_rounds.saturating_sub(own.bcrypt_rounds);
    (LEAST_BCRYPT_COST..u64::BITS).filter(move |cost| rounds >> cost & 1 == 1)
}

/// Does what is missing of the work that is not bcrypt, and adds it to what is spent.
pub(super) fn make_up_others(password: &str, own: Work, most: Work, spent: &mut Work) {
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
