//! bcrypt for several passwords at a time, on one core. One hash cannot be computed faster: each of its steps waits for
//! memory. Several in lockstep fill each other's waits. Each hash has its own cost, and may join and leave the others at
//! any round: [`advance`] takes those that are under way.
//!
//! Salts, encodings and comparisons belong to the caller.

mod blowfish;
mod pi;

use std::fmt;

use zeroize::Zeroizing;

use blowfish::{Lanes, Words};

/// How many hashes are computed side by side. Four states take 16 KiB, so those of two hardware threads fit into the
/// first cache of a core, and the halves of four blocks fit into its registers. More lanes are not faster
/// (docs/performance.md).
pub const LANES: usize = 4;

/// bcrypt reads no more bytes of a password than this.
pub const MAX_BYTES: usize = 72;
/// What bcrypt enciphers, 64 times.
const TEXT: [[u32; 2]; 3] = [
    [u32::from_be_bytes(*b"Orph"), u32::from_be_bytes(*b"eanB")],
    [u32::from_be_bytes(*b"ehol"), u32::from_be_bytes(*b"derS")],
    [u32::from_be_bytes(*b"cryD"), u32::from_be_bytes(*b"oubt")],
];

/// The cost of bcrypt, from 4 to 31: its work is 2 to the power of the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost(u32);

/// A hash under way. Its state is overwritten when it is dropped.
pub struct Hash {
    lane: Box<Lanes<1>>,
    /// In a place of its own: what is moved leaves a copy behind.
    key: Box<Zeroizing<Words>>,
    salt: Words,
    rounds_left: u64,
}

/// The result of bcrypt, before the encoding.
pub type Digest = [u8; 23];

impl Cost {
    /// That cost, if bcrypt allows it.
    pub fn parse(cost: u32) -> Option<Self> {
        (4..=31).contains(&cost).then_some(Self(cost))
    }

    /// How many rounds it takes.
    pub fn rounds(self) -> u64 {
        1 << self.0
    }
}

impl Hash {
    /// Begins the hash of a password, of which bcrypt reads [`MAX_BYTES`] bytes.
    pub fn begin(password: &[u8], salt: &[u8; 16], cost: Cost) -> Self {
        let (mut key_words, mut salt_words) = (Box::new(Zeroizing::new(Words::default())), Words::default());
        repeat(&key(password), &mut key_words);
        repeat(salt, &mut salt_words);
        let mut lane = Lanes::new();
        lane.expand_salted(&[&key_words], &[&salt_words]);
        Self { lane, key: key_words, salt: salt_words, rounds_left: cost.rounds() }
    }

    /// Whether all rounds are done.
    pub fn is_done(&self) -> bool {
        self.rounds_left == 0
    }

    /// The digest, once all rounds are done.
    pub fn digest(&self) -> Option<Digest> {
        self.is_done().then(|| encipher_text(&self.lane))
    }
}

impl fmt::Debug for Hash {
    /// Shows nothing that the password can be guessed from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hash").field("rounds_left", &self.rounds_left).finish_non_exhaustive()
    }
}

/// Goes on with all of the hashes, [`LANES`] side by side, for that many rounds or until one of those beside it is done.
/// Those that were done before are left alone.
pub fn advance(hashes: &mut [&mut Hash], most_rounds: u64) {
    let mut under_way: Vec<&mut Hash> =
        hashes.iter_mut().filter(|hash| !hash.is_done()).map(|hash| &mut **hash).collect();
    for hashes in under_way.chunks_mut(LANES) {
        let shortest = hashes.iter().map(|hash| hash.rounds_left).min().unwrap_or_default();
        let rounds = shortest.min(most_rounds);
        match hashes {
            [a] => advance_alone(a, rounds),
            [a, b] => advance_together([a, b], rounds),
            [a, b, c] => advance_together([a, b, c], rounds),
            [a, b, c, d] => advance_together([a, b, c, d], rounds),
            _ => {}
        }
    }
}

/// In its own place.
fn advance_alone(hash: &mut Hash, rounds: u64) {
    for _ in 0..rounds {
        hash.lane.expand(&[&hash.key]);
        hash.lane.expand(&[&hash.salt]);
    }
    hash.rounds_left -= rounds;
}

/// The states are brought together for these rounds, which is a copy of 4 KiB for each.
fn advance_together<const N: usize>(mut hashes: [&mut &mut Hash; N], rounds: u64) {
    let mut lanes = Lanes::<N>::new();
    for (number, hash) in hashes.iter().enumerate() {
        lanes.load(number, &hash.lane);
    }
    let keys = hashes.each_ref().map(|hash| &**hash.key);
    let salts = hashes.each_ref().map(|hash| &hash.salt);
    for _ in 0..rounds {
        lanes.expand(&keys);
        lanes.expand(&salts);
    }
    for (number, hash) in hashes.iter_mut().enumerate() {
        lanes.store(number, &mut hash.lane);
        hash.rounds_left -= rounds;
    }
}

fn encipher_text(lane: &Lanes<1>) -> Digest {
    let mut digest = [0; 23];
    for (block, halves) in TEXT.iter().enumerate() {
        let [mut left, mut right] = halves.map(|half| [half]);
        for _ in 0..64 {
            lane.encipher(&mut left, &mut right);
        }
        // bcrypt drops the last byte.
        let bytes = [left, right].into_iter().flatten().flat_map(u32::to_be_bytes);
        digest.iter_mut().skip(8 * block).zip(bytes).for_each(|(to, byte)| *to = byte);
    }
    digest
}

/// The password and a NUL, cut. It is never empty.
fn key(password: &[u8]) -> Zeroizing<Vec<u8>> {
    // With room for all, nothing is moved and left behind.
    let mut key = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    key.extend(password.iter().copied().chain([0]).take(MAX_BYTES));
    key
}

/// Fills the words with the bytes, over and over.
fn repeat(bytes: &[u8], words: &mut Words) {
    let mut bytes = bytes.iter().cycle();
    for word in words {
        *word = bytes.by_ref().take(4).fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
}

#[cfg(test)]
mod tests;
