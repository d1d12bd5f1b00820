//! The cipher inside bcrypt, Blowfish with a costly key schedule, for `N` keys side by side.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::pi;

/// The words of a key, or of a salt, repeated to the length of the round keys.
pub(super) type Words = [u32; ROUND_KEYS];
/// One half of a block of each lane.
pub(super) type Halves<const N: usize> = [u32; N];
/// The S-boxes of a lane.
type Boxes = [[u32; 256]; 4];

const ROUND_KEYS: usize = 18;

/// `N` ciphers. Each look-up waits for the one before. To fill the waits, each step is done for all lanes before the
/// next. The state is overwritten when it is dropped.
///
/// The round keys of one round lie together and are read in one pass. The S-boxes of one lane lie together, at a constant
/// distance from the others: between them, a look-up would need a shift to find its word.
pub(super) struct Lanes<const N: usize> {
    round_keys: [[u32; N]; ROUND_KEYS],
    boxes: [Boxes; N],
    /// Always 16. A constant would let the compiler unroll the rounds and reorder them: one lane would take a tenth longer.
    rounds: usize,
}

impl<const N: usize> Lanes<N> {
    /// The initial state: digits of pi.
    pub(super) fn new() -> Box<Self> {
        Box::new(Self { round_keys: pi::P.map(|word| [word; N]), boxes: [pi::S; N], rounds: ROUND_KEYS - 2 })
    }

    /// The key schedule with a salt for each lane.
    pub(super) fn expand_salted(&mut self, keys: &[&Words; N], salts: &[&Words; N]) {
        // The salt's four words are taken in turn, two for a block.
        let halves = |first: usize| salts.each_ref().map(|salt| salt.get(first).copied().unwrap_or_default());
        let [even, odd] = [(halves(0), halves(1)), (halves(2), halves(3))];
        self.mix(keys);
        self.replace(|block, left, right| {
            let (salt_left, salt_right) = if block % 2 == 0 { &even } else { &odd };
            xor(left, salt_left);
            xor(right, salt_right);
        });
    }

    /// The key schedule without salts.
    // Inlined, it shares the registers with its caller and takes 3 % longer.
    #[inline(never)]
    pub(super) fn expand(&mut self, keys: &[&Words; N]) {
        self.mix(keys);
        self.replace(|_, _, _| ());
    }

    /// Takes over the state of one cipher as that lane.
    pub(super) fn load(&mut self, lane: usize, one: &Lanes<1>) {
        for (words, [word]) in self.round_keys.iter_mut().zip(&one.round_keys) {
            if let Some(to) = words.get_mut(lane) {
                *to = *word;
            }
        }
        let [boxes] = &one.boxes;
        if let Some(to) = self.boxes.get_mut(lane) {
            to.clone_from(boxes);
        }
    }

    /// Writes the state of that lane to one cipher.
    pub(super) fn store(&self, lane: usize, one: &mut Lanes<1>) {
        for (words, [to]) in self.round_keys.iter().zip(&mut one.round_keys) {
            if let Some(word) = words.get(lane) {
                *to = *word;
            }
        }
        let [to] = &mut one.boxes;
        if let Some(boxes) = self.boxes.get(lane) {
            to.clone_from(boxes);
        }
    }

    /// Whether everything is overwritten.
    #[cfg(test)]
    pub(super) fn is_zero(&self) -> bool {
        self.round_keys.iter().flatten().chain(self.boxes.iter().flatten().flatten()).all(|word| *word == 0)
    }

    /// Mixes the keys into the round keys.
    fn mix(&mut self, keys: &[&Words; N]) {
        for (lane, key) in keys.iter().enumerate() {
            for (round_key, word) in self.round_keys.iter_mut().zip(*key) {
                if let Some(round_key) = round_key.get_mut(lane) {
                    *round_key ^= word;
                }
            }
        }
    }

    /// Replaces the state block by block. Each block is the one before, enciphered; `salted` may change it first.
    #[inline(always)]
    fn replace(&mut self, salted: impl Fn(usize, &mut Halves<N>, &mut Halves<N>)) {
        let (mut left, mut right) = ([0; N], [0; N]);
        let first_blocks = ROUND_KEYS / 2;
        for block in 0..first_blocks {
            salted(block, &mut left, &mut right);
            self.encipher(&mut left, &mut right);
            if let Some(pair) = self.round_keys.as_chunks_mut().0.get_mut(block) {
                *pair = [left, right];
            }
        }
        for place in 0..4 {
            for block in 0..128 {
                salted(first_blocks + block, &mut left, &mut right);
                self.encipher(&mut left, &mut right);
                for ((boxes, left), right) in self.boxes.iter_mut().zip(left).zip(right) {
                    let pairs = boxes.get_mut(place).map(|words| words.as_chunks_mut().0);
                    if let Some(pair) = pairs.and_then(|pairs| pairs.get_mut(block)) {
                        *pair = [left, right];
                    }
                }
            }
        }
    }

    /// Enciphers a block of each lane.
    #[inline(always)]
    pub(super) fn encipher(&self, left: &mut Halves<N>, right: &mut Halves<N>) {
        let [first, second, others @ ..] = &self.round_keys;
        xor(left, first);
        xor(right, second);
        // Each half has its round key before the look-ups that it waits for.
        for round_key in others.get(..self.rounds).unwrap_or_default() {
            for (((left, right), boxes), word) in left.iter_mut().zip(&mut *right).zip(&self.boxes).zip(round_key) {
                let mixed = *right ^ scramble(boxes, *left);
                *right = *left ^ word;
                *left = mixed;
            }
        }
        for (left, right) in left.iter_mut().zip(right) {
            std::mem::swap(left, right);
        }
    }
}

impl<const N: usize> Zeroize for Lanes<N> {
    fn zeroize(&mut self) {
        self.round_keys.zeroize();
        self.boxes.zeroize();
    }
}

impl<const N: usize> Drop for Lanes<N> {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl<const N: usize> ZeroizeOnDrop for Lanes<N> {}

fn xor<const N: usize>(halves: &mut Halves<N>, words: &[u32; N]) {
    for (half, word) in halves.iter_mut().zip(words) {
        *half ^= word;
    }
}

/// The round function.
#[inline(always)]
fn scramble([first, second, third, fourth]: &Boxes, half: u32) -> u32 {
    let [d, c, b, a] = half.to_le_bytes();
    (look_up(first, a).wrapping_add(look_up(second, b)) ^ look_up(third, c)).wrapping_add(look_up(fourth, d))
}

/// An index of eight bits is never outside: the compiler leaves the default out.
#[inline(always)]
fn look_up(words: &[u32; 256], index: u8) -> u32 {
    words.get(usize::from(index)).copied().unwrap_or_default()
}
