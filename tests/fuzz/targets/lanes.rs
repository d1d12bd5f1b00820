#![no_main]

//! Hashes side by side are those of the `bcrypt` crate, each in as many rounds at a time as a byte says.

use keyfob_lanes::{Cost, Hash, LANES, advance};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((rounds, jobs)) = bytes.split_first() else { return };
    // A salt, a cost, and a password for each.
    let jobs = jobs.chunks(96).take(LANES + 1).filter_map(|job| {
        let (salt, job) = job.split_first_chunk::<16>()?;
        let (cost, password) = job.split_first()?;
        Some((password, salt, 4 + u32::from(cost % 2)))
    });
    let jobs: Vec<_> = jobs.collect();
    let begin = |(password, salt, cost): &(&[u8], &[u8; 16], u32)| {
        Hash::begin(password, salt, Cost::parse(*cost).expect("a cost that bcrypt allows"))
    };
    let mut hashes: Vec<Hash> = jobs.iter().map(begin).collect();
    while hashes.iter().any(|hash| !hash.is_done()) {
        advance(&mut hashes.iter_mut().collect::<Vec<_>>(), u64::from(*rounds % 40) + 1);
    }
    for (hash, (password, salt, cost)) in hashes.iter().zip(jobs) {
        let expected = bcrypt::bcrypt(cost, *salt, &key(password));
        assert_eq!(hash.digest().as_ref().map(|digest| digest.as_slice()), expected.get(..23));
    }
});

/// The password and a NUL, cut: what the crate's inner function takes.
fn key(password: &[u8]) -> Vec<u8> {
    password.iter().copied().chain([0]).take(72).collect()
}
