use super::*;
use crate::passwords::work::Argon2Work;

/// A hash in each format, made by the programs that accounts come from: maker, password, hash.
const FOREIGN: &str = include_str!("../foreign_hashes.txt");
/// `mañana-öl`, as macOS and iOS type it.
const DECOMPOSED: &str = "man\u{303}ana-o\u{308}l";
const COMPOSED: &str = "mañana-öl";

fn kept(hash: &str) -> KeptHash {
    KeptHash::parse(hash).unwrap_or_else(|fault| panic!("{hash}: {fault}"))
}

/// A comparer of cost 5 that knows all hashes of the file.
fn comparer() -> (Comparer, Vec<KeptHash>) {
    let lines = FOREIGN.lines().filter(|line| !line.starts_with('#'));
    let mut hashes: Vec<KeptHash> = lines.map(|line| kept(line.rsplit('\t').next().expect("a hash"))).collect();
    let salt_and_digest = "Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI";
    hashes.push(kept(&format!("$argon2id$v=19$m=256,t=3,p=1${salt_and_digest}")));
    hashes.push(kept(&bcrypt::hash("correct-Horse 7", 7).expect("hash")));
    let comparer = Comparer::new(5);
    comparer.learn(hashes.iter().map(KeptHash::work));
    (comparer, hashes)
}

/// The work of comparing a wrong password.
#[track_caller]
fn work_of_wrong(comparer: &Comparer, password: &str, kept: Option<&KeptHash>) -> (u64, u64, u64) {
    let (reading, work) = comparer.compare(password, kept);
    assert_eq!(reading, None);
    (work.bcrypt_rounds, work.pbkdf2_iterations, work.argon2.kib)
}

/// Missing Argon2 work cannot always be divided evenly into passes.
fn is_same((bcrypt, pbkdf2, argon2): (u64, u64, u64), other: (u64, u64, u64)) -> bool {
    bcrypt == other.0 && pbkdf2 == other.1 && argon2.abs_diff(other.2) <= 2 * u64::from(LEAST_ARGON2_KIB)
}

#[test]
fn a_wrong_password_is_the_same_work_for_hashes_of_every_kind_and_for_none() {
    let (comparer, hashes) = comparer();
    let without = work_of_wrong(&comparer, "a wrong one", None);
    assert_eq!(without, (1 << 7, 1500, 768), "that of the costliest in each algorithm");
    let mut kinds = std::collections::BTreeSet::new();
    for hash in &hashes {
        let with = work_of_wrong(&comparer, "a wrong one", Some(hash));
        assert!(is_same(with, without), "{with:?}, without an account {without:?}");
        kinds.insert(format!("{:?}", hash.work()));
    }
    assert!(kinds.len() >= 7, "{kinds:?}");
}

#[test]
fn with_hashes_of_the_configured_cost_alone_nothing_else_is_done() {
    let comparer = Comparer::new(5);
    let hash = kept(&comparer.hash("lantern-quartz").expect("hash"));
    for kept in [None, Some(&hash)] {
        assert_eq!(work_of_wrong(&comparer, "a wrong one", kept), (1 << 5, 0, 0));
    }
    assert_eq!(comparer.compare("lantern-quartz", Some(&hash)), (Some(Reading::Nfc), Work::of_bcrypt(5)));
}

#[test]
fn a_costlier_hash_that_a_log_in_meets_is_known_from_then_on_until_it_is_gone() {
    let comparer = Comparer::new(5);
    let costly = kept(&bcrypt::hash("lantern-quartz", 8).expect("hash"));
    assert_eq!(work_of_wrong(&comparer, "a wrong one", None), (1 << 5, 0, 0));
    assert_eq!(work_of_wrong(&comparer, "a wrong one", Some(&costly)), (1 << 8, 0, 0));
    assert_eq!(work_of_wrong(&comparer, "a wrong one", None), (1 << 8, 0, 0));
    comparer.learn(std::iter::empty());
    assert_eq!(work_of_wrong(&comparer, "a wrong one", None), (1 << 5, 0, 0));
}

#[test]
fn a_password_that_has_two_readings_is_twice_the_work_whoevers_it_is() {
    let (comparer, hashes) = comparer();
    let (bcrypt, pbkdf2, argon2) = work_of_wrong(&comparer, COMPOSED, None);
    let twice = (2 * bcrypt, 2 * pbkdf2, 2 * argon2);
    for kept in hashes.iter().map(Some).chain([None]) {
        let work = work_of_wrong(&comparer, DECOMPOSED, kept);
        assert!(is_same(work, twice), "{work:?}, not {twice:?}");
    }
}

#[test]
fn a_password_is_right_in_whatever_form_it_is_typed() {
    let comparer = Comparer::new(4);
    let hash = kept(&comparer.hash(COMPOSED).expect("hash"));
    for typed in [COMPOSED, DECOMPOSED] {
        assert_eq!(comparer.compare(typed, Some(&hash)).0, Some(Reading::Nfc), "{typed:?}");
        assert_eq!(comparer.renew(typed, &hash, Reading::Nfc), None);
    }
}

#[test]
fn a_hash_of_another_form_works_for_that_form_and_is_renewed_in_nfc() {
    let comparer = Comparer::new(4);
    let hash = kept(&bcrypt::hash(DECOMPOSED, 4).expect("hash"));
    assert_eq!(comparer.compare(COMPOSED, Some(&hash)).0, None);
    assert_eq!(comparer.compare(DECOMPOSED, Some(&hash)).0, Some(Reading::AsTyped));
    let renewed = kept(&comparer.renew(DECOMPOSED, &hash, Reading::AsTyped).expect("a new hash"));
    assert_eq!(comparer.compare(COMPOSED, Some(&renewed)).0, Some(Reading::Nfc));
}

#[test]
fn what_is_made_up_for_takes_no_more_memory_than_an_imported_hash_may() {
    let comparer = Comparer::new(4);
    // One pass over 160 MiB: the dummy work makes two over 80 MiB.
    comparer.learn([Work { argon2: Argon2Work { kib: 160 << 10, passes: 1 }, ..Work::default() }].into_iter());
    let (_, work) = comparer.compare("a wrong one", None);
    assert_eq!(work.argon2, Argon2Work { kib: 160 << 10, passes: 2 });
}

#[test]
fn stray_bits_in_a_bcrypt_hash_do_not_matter() {
    let comparer = Comparer::new(4);
    let hash = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
    let stray = hash.replace("Ck.6A", "Ck/6A").replace("0em", "0en");
    assert_ne!(stray, hash);
    assert_eq!(comparer.compare("correct-Horse 7", Some(&kept(&stray))).0, Some(Reading::Nfc));
    assert_eq!(comparer.compare("correct-Horse 8", Some(&kept(&stray))).0, None);
}

#[test]
fn what_bcrypt_would_cut_is_wrong_and_the_same_work() {
    let comparer = Comparer::new(4);
    let hash = kept(&comparer.hash(&"x".repeat(72)).expect("hash"));
    assert_eq!(comparer.compare(&"x".repeat(72), Some(&hash)).0, Some(Reading::Nfc));
    for kept in [Some(&hash), None] {
        assert_eq!(work_of_wrong(&comparer, &"x".repeat(73), kept), (1 << 4, 0, 0));
    }
}
