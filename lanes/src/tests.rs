use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use zeroize::Zeroize;

use super::*;

/// Published by Openwall (crypt_blowfish), OpenBSD, passlib and jBCrypt, for passwords that all versions read alike.
/// `$2x$` is right where the fault that it stands for does not show.
const PUBLISHED: [(&[u8], &str); 23] = [
    (b"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    (b"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    (b"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
    (b"", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
    (
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
        "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
    ),
    (b"\xff\xff\xa3", "$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
    (b"\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
    (b"\xff\xff\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
    (b"\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    (b"\xa3", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    (b"\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    (b"\xff\xa3345", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.nRht2l/HRhr6zmCp9vYUvvsqynflf9e"),
    (b"\xa3ab", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.6IflQkJytoRVc1yuaNtHfiuq.FRlSIS"),
    (b"\xff\xff\xff", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.J/g/3vmHprg.qPkSbeCv3LYtSJZhaqi"),
    (&[0xaa; 80], "$2a$05$/OK.fbVrR/bpIqNJ5ianF.swQOIzjOiJ9GHEPuhEkvqrUyvWhEMx6"),
    (&[b'0'; 72], "$2a$05$CCCCCCCCCCCCCCCCCCCCC.6.O1dLNbjod2uo0DVcW.jHucKbPDdHS"),
    (&[b'0'; 72], "$2b$05$CCCCCCCCCCCCCCCCCCCCC.6.O1dLNbjod2uo0DVcW.jHucKbPDdHS"),
    (b"", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
    (b"a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
    (b"abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    (b"abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"),
    (b"~!@#$%^&*()      ~!@#$%^&*()PNBFRD", "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO"),
    (b"a", "$2a$08$cfcvVd2aQ8CMvoMpP2EBfeodLEkkFJ9umNEfPD18.hUF62qqlC/V."),
];

/// A password to hash.
#[derive(Clone, Copy)]
struct Job<'p> {
    password: &'p [u8],
    salt: [u8; 16],
}

impl Job<'_> {
    fn begin(&self, cost: Cost) -> Hash {
        Hash::begin(self.password, &self.salt, cost)
    }
}

/// bcrypt's own order of the base64 digits.
const DIGITS: &str = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Reads as many bytes.
fn decode<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let value = |digit| DIGITS.find(digit).expect("a digit");
    let bits: Vec<usize> =
        text.chars().map(value).flat_map(|value| (0..6).rev().map(move |bit| value >> bit & 1)).collect();
    let byte = |bits: &[usize]| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8);
    std::array::from_fn(|at| byte(&bits[8 * at..8 * at + 8]))
}

/// Cost, salt and digest of a published hash.
fn parse(hash: &str) -> (Cost, [u8; 16], [u8; 23]) {
    let cost = hash[4..6].parse().ok().and_then(Cost::parse).expect("a cost");
    (cost, decode(&hash[7..29]), decode(&hash[29..]))
}

fn cost(cost: u32) -> Cost {
    Cost::parse(cost).expect("a cost that bcrypt allows")
}

/// Hashes all of them, as many rounds at a time as `steps` says, over and over.
fn digests_in_steps(jobs: &[Job<'_>], cost: Cost, steps: &[u64]) -> Vec<Digest> {
    let mut hashes: Vec<Hash> = jobs.iter().map(|job| job.begin(cost)).collect();
    let mut steps = steps.iter().cycle();
    while hashes.iter().any(|hash| !hash.is_done()) {
        advance(&mut hashes.iter_mut().collect::<Vec<_>>(), *steps.next().expect("steps"));
    }
    hashes.iter().map(|hash| hash.digest().expect("it is done")).collect()
}

fn digests(jobs: &[Job<'_>], cost: Cost) -> Vec<Digest> {
    digests_in_steps(jobs, cost, &[u64::MAX])
}

/// As the `bcrypt` crate computes it.
fn expected(job: &Job<'_>, cost: u32) -> [u8; 23] {
    let hash = bcrypt::hash_with_salt(job.password, cost, job.salt).expect("a hash").to_string();
    parse(&hash).2
}

/// 32 cases (or an eighth of `PROPTEST_CASES`: each hashes several times) from a fixed seed. Failures are printed, not
/// written to a file.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let rng_seed = match asked.rng_seed {
        RngSeed::Random => RngSeed::Fixed(6749),
        fixed => fixed,
    };
    ProptestConfig { cases: asked.cases.div_ceil(8), rng_seed, failure_persistence: None, ..asked }
}

fn passwords_and_salts(most: usize) -> impl Strategy<Value = Vec<(Vec<u8>, [u8; 16])>> {
    // NUL, and what is a negative number in the C of old, more often than chance would have them.
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff)];
    vec((prop_oneof![vec(byte.clone(), 0..=72), vec(byte, 70..=72)], any::<[u8; 16]>()), 1..=most)
}

fn jobs(of: &[(Vec<u8>, [u8; 16])]) -> Vec<Job<'_>> {
    of.iter().map(|(password, salt)| Job { password, salt: *salt }).collect()
}

/// In every lane of that width, beside other jobs.
fn in_every_lane(width: usize, job: &Job<'_>, other: &Job<'_>, cost: Cost) -> Vec<Digest> {
    let beside = |lane: usize| (0..width).map(|at| if at == lane { *job } else { *other }).collect::<Vec<_>>();
    (0..width).map(|lane| digests(&beside(lane), cost)[lane]).collect()
}

#[test]
fn published_hashes_are_right_in_every_lane() {
    for (password, hash) in PUBLISHED {
        let (cost, salt, digest) = parse(hash);
        let (job, other) = (Job { password, salt }, Job { password: b"another", salt: [7; 16] });
        for width in 1..=LANES {
            let found = in_every_lane(width, &job, &other, cost);
            assert!(found.iter().all(|found| *found == digest), "{hash}");
        }
    }
}

#[test]
fn a_hash_with_the_fault_that_2x_stands_for_is_wrong() {
    let (cost, salt, digest) = parse("$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e");
    let job = Job { password: b"\xa3", salt };
    assert!(digests(&[job; LANES], cost).iter().all(|found| *found != digest));
}

#[test]
fn a_password_of_any_length_is_read_as_the_crate_reads_it_and_cut_at_72_bytes() {
    let password: Vec<u8> = (100..=180).collect();
    let of_length = |length| Job { password: &password[..length], salt: [3; 16] };
    let jobs: Vec<_> = (0..=80).map(of_length).collect();
    let found = digests(&jobs, cost(4));
    assert_eq!(found, jobs.iter().map(|job| expected(job, 4)).collect::<Vec<_>>());
    assert!(found[72..].iter().all(|digest| *digest == found[72]));
    assert_ne!(found[71], found[72]);
}

#[test]
fn nothing_under_way_is_nothing_to_do() {
    advance(&mut [], 1);
    let mut done = Job { password: b"a", salt: [1; 16] }.begin(cost(4));
    assert_eq!(done.digest(), None);
    advance(&mut [&mut done], 16);
    let digest = done.digest();
    assert!(digest.is_some());
    advance(&mut [&mut done], 16);
    assert_eq!(done.digest(), digest);
}

#[test]
fn bcrypt_has_costs_from_4_to_31() {
    let known: Vec<u32> = (0..100).filter(|cost| Cost::parse(*cost).is_some()).collect();
    assert_eq!(known, (4..=31).collect::<Vec<_>>());
    assert_eq!(Cost::parse(u32::MAX), None);
}

#[test]
fn debug_shows_no_state() {
    let hash = Job { password: b"lantern-quartz", salt: [1; 16] }.begin(cost(4));
    assert_eq!(format!("{hash:?}"), "Hash { rounds_left: 16, .. }");
}

#[test]
fn an_overwritten_state_is_all_zeros() {
    let mut lanes = Lanes::<LANES>::new();
    lanes.expand(&[&[5; 18]; LANES]);
    assert!(!lanes.is_zero());
    lanes.zeroize();
    assert!(lanes.is_zero());
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn digests_are_those_of_the_crate(all in passwords_and_salts(2 * LANES + 1), log_rounds in 4_u32..=7) {
        let jobs = jobs(&all);
        let expected: Vec<_> = jobs.iter().map(|job| expected(job, log_rounds)).collect();
        prop_assert_eq!(digests(&jobs, cost(log_rounds)), expected);
    }

    #[test]
    fn each_width_computes_what_the_crate_does(all in passwords_and_salts(1), log_rounds in 4_u32..=7) {
        let job = jobs(&all)[0];
        let expected = expected(&job, log_rounds);
        let other = Job { password: b"another", salt: [9; 16] };
        for width in 1..=LANES {
            let found = in_every_lane(width, &job, &other, cost(log_rounds));
            prop_assert!(found.iter().all(|found| *found == expected));
        }
    }

    #[test]
    fn the_steps_make_no_difference(all in passwords_and_salts(LANES + 1), steps in vec(1_u64..20, 1..8)) {
        let jobs = jobs(&all);
        let expected: Vec<_> = jobs.iter().map(|job| expected(job, 5)).collect();
        prop_assert_eq!(digests_in_steps(&jobs, cost(5), &steps), expected);
    }

    #[test]
    fn each_comes_and_goes_when_it_will(
        all in vec((passwords_and_salts(1), 4_u32..=7), 1..10), turns in vec((0_usize..3, 1_u64..40), 1..8),
    ) {
        let mut waiting: Vec<_> = all.iter().map(|(one, log_rounds)| (jobs(one)[0], *log_rounds)).collect();
        let mut under_way: Vec<(Hash, [u8; 23])> = Vec::new();
        let mut turns = turns.iter().cycle();
        while !waiting.is_empty() || !under_way.is_empty() {
            let (joining, rounds) = turns.next().expect("turns");
            let places = (LANES - under_way.len()).min((*joining).max(usize::from(under_way.is_empty())));
            for (job, log_rounds) in waiting.drain(..places.min(waiting.len())) {
                under_way.push((job.begin(cost(log_rounds)), expected(&job, log_rounds)));
            }
            advance(&mut under_way.iter_mut().map(|(hash, _)| hash).collect::<Vec<_>>(), *rounds);
            for (hash, expected) in under_way.extract_if(.., |(hash, _)| hash.is_done()) {
                prop_assert_eq!(hash.digest(), Some(expected));
            }
        }
    }

    #[test]
    fn a_lane_is_the_same_whatever_the_others_hash(
        all in passwords_and_salts(1), others in passwords_and_salts(LANES), lane in 0..LANES,
    ) {
        let job = jobs(&all)[0];
        let others = jobs(&others);
        let mut beside: Vec<_> = others.iter().copied().cycle().take(LANES).collect();
        beside[lane] = job;
        prop_assert_eq!(digests(&beside, cost(4))[lane], expected(&job, 4));
        let alike = [job; LANES];
        prop_assert_eq!(digests(&alike, cost(4)), vec![expected(&job, 4); LANES]);
    }
}

/// The first words of pi after the point, by Machin's formula: 16 arctan(1/5) - 4 arctan(1/239).
mod pi_by_machin {
    use super::super::pi;

    const WORDS: usize = 18 + 4 * 256;

    /// A number in words of 32 bits, the first before the point. The last two are for what is rounded.
    type Number = [u32; 1 + WORDS + 2];

    fn divide(number: &mut Number, by: u32) {
        let mut rest = 0;
        for word in number {
            let dividend = rest << 32 | u64::from(*word);
            *word = (dividend / u64::from(by)) as u32;
            rest = dividend % u64::from(by);
        }
    }

    fn add(number: &mut Number, other: &Number) {
        let mut carry = false;
        for (word, other) in number.iter_mut().zip(other).rev() {
            let (sum, over) = word.overflowing_add(*other);
            let (sum, over_again) = sum.overflowing_add(carry.into());
            (*word, carry) = (sum, over || over_again);
        }
    }

    fn subtract(number: &mut Number, other: &Number) {
        let mut borrow = false;
        for (word, other) in number.iter_mut().zip(other).rev() {
            let (difference, under) = word.overflowing_sub(*other);
            let (difference, under_again) = difference.overflowing_sub(borrow.into());
            (*word, borrow) = (difference, under || under_again);
        }
    }

    fn pi_of_machin() -> Number {
        let mut pi = [0; 1 + WORDS + 2];
        for (factor, of) in [(16, 5), (4, 239)] {
            let mut power = [0; 1 + WORDS + 2];
            power[0] = factor;
            divide(&mut power, of);
            let mut is_added = of == 5;
            let mut odd = 1;
            while power.iter().any(|word| *word != 0) {
                let mut term = power;
                divide(&mut term, odd);
                if is_added {
                    add(&mut pi, &term)
                } else {
                    subtract(&mut pi, &term)
                }
                divide(&mut power, of * of);
                (is_added, odd) = (!is_added, odd + 2);
            }
        }
        pi
    }

    #[test]
    fn the_initial_state_is_pi() {
        let words: Vec<u32> = pi::P.iter().chain(pi::S.iter().flatten()).copied().collect();
        let pi = pi_of_machin();
        assert_eq!(pi[0], 3);
        assert_eq!(pi[1..=WORDS], words);
    }
}
