use std::sync::Arc;

use tokio::sync::oneshot;

use super::*;
use crate::config::PasswordSettings;
use crate::passwords::choice::{ChosenPassword, Rules};
use crate::passwords::formats::{KeptHash, LEAST_ARGON2_KIB, NO_PASSWORD};
use crate::passwords::policy::NewPassword;
use crate::passwords::queue::Task;
use crate::passwords::work::Argon2Work;

/// A hash in each format, made by the programs that accounts come from: maker, password, hash.
const FOREIGN: &str = include_str!("../foreign_hashes.txt");
/// `mañana-öl`, as macOS and iOS type it.
const DECOMPOSED: &str = "man\u{303}ana-o\u{308}l";
const COMPOSED: &str = "mañana-öl";

fn work_of(hash: &str) -> Work {
    KeptHash::parse(hash).unwrap_or_else(|fault| panic!("{hash}: {fault}")).work()
}

/// Does one task alone, to the end.
fn outcome(task: impl FnOnce(oneshot::Sender<Outcome>) -> PasswordTask) -> Outcome {
    let (answer, mut answered) = oneshot::channel();
    let mut task = task(answer);
    while let Some(hash) = task.go_on() {
        keyfob_lanes::advance(&mut [hash], u64::MAX);
    }
    answered.try_recv().expect("an answer")
}

fn verified(comparer: &Arc<Comparer>, password: &str, kept: Option<&str>) -> Outcome {
    let kept = kept.map(str::to_owned);
    outcome(|answer| PasswordTask::verify(Arc::clone(comparer), password.into(), kept, answer))
}

fn compare(comparer: &Arc<Comparer>, password: &str, kept: Option<&str>) -> (Option<Reading>, Work) {
    let outcome = verified(comparer, password, kept);
    (outcome.reading, outcome.spent)
}

fn hash(comparer: &Arc<Comparer>, password: &str) -> String {
    let settings = PasswordSettings {
        min_score: 0,
        breached_file: None,
        bcrypt_cost: 4,
        hash_threads: 1,
        queue_length: 1,
        max_wait_seconds: 1,
    };
    let rules = Arc::new(Rules::new(&settings, "https://id.example.com").expect("rules"));
    let password = NewPassword::parse(password).expect("a password");
    let chosen = ChosenPassword::of("mia@example.com", None, password).unwrap_or_else(|fault| panic!("{fault:?}"));
    outcome(|answer| PasswordTask::hash(Arc::clone(comparer), rules, chosen, answer)).hash.expect("a hash")
}

fn with_cost(cost: u32) -> Arc<Comparer> {
    Arc::new(Comparer::new(cost))
}

/// A comparer of cost 5 that knows all hashes of the file.
fn comparer() -> (Arc<Comparer>, Vec<String>) {
    let lines = FOREIGN.lines().filter(|line| !line.starts_with('#'));
    let mut hashes: Vec<String> = lines.map(|line| line.rsplit('\t').next().expect("a hash").to_owned()).collect();
    let salt_and_digest = "Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI";
    hashes.push(format!("$argon2id$v=19$m=256,t=3,p=1${salt_and_digest}"));
    hashes.push(bcrypt::hash("correct-Horse 7", 7).expect("hash"));
    let comparer = with_cost(5);
    comparer.learn(hashes.iter().map(|hash| work_of(hash)));
    (comparer, hashes)
}

/// The work of comparing a wrong password.
#[track_caller]
fn work_of_wrong(comparer: &Arc<Comparer>, password: &str, kept: Option<&str>) -> (u64, u64, u64) {
    let (reading, work) = compare(comparer, password, kept);
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
        kinds.insert(format!("{:?}", work_of(hash)));
    }
    assert_eq!(work_of_wrong(&comparer, NO_PASSWORD, Some(NO_PASSWORD)), without, "an account without a password");
    assert!(kinds.len() >= 7, "{kinds:?}");
}

#[test]
fn with_hashes_of_the_configured_cost_alone_nothing_else_is_done() {
    let comparer = with_cost(5);
    let hash = hash(&comparer, "lantern-quartz");
    for kept in [None, Some(hash.as_str())] {
        assert_eq!(work_of_wrong(&comparer, "a wrong one", kept), (1 << 5, 0, 0));
    }
    assert_eq!(compare(&comparer, "lantern-quartz", Some(&hash)), (Some(Reading::Nfc), Work::of_bcrypt(5)));
}

#[test]
fn a_costlier_hash_that_a_log_in_meets_is_known_from_then_on_until_it_is_gone() {
    let comparer = with_cost(5);
    let costly = bcrypt::hash("lantern-quartz", 8).expect("hash");
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
    for kept in hashes.iter().map(|hash| Some(hash.as_str())).chain([None]) {
        let work = work_of_wrong(&comparer, DECOMPOSED, kept);
        assert!(is_same(work, twice), "{work:?}, not {twice:?}");
    }
}

#[test]
fn a_password_is_right_in_whatever_form_it_is_typed() {
    let comparer = with_cost(4);
    let hash = hash(&comparer, COMPOSED);
    for typed in [COMPOSED, DECOMPOSED] {
        assert_eq!(compare(&comparer, typed, Some(&hash)).0, Some(Reading::Nfc), "{typed:?}");
        assert_eq!(verified(&comparer, typed, Some(&hash)).hash, None);
    }
}

#[test]
fn a_hash_of_another_form_works_for_that_form_and_is_renewed_in_nfc() {
    let comparer = with_cost(4);
    let hash = bcrypt::hash(DECOMPOSED, 4).expect("hash");
    assert_eq!(compare(&comparer, COMPOSED, Some(&hash)).0, None);
    assert_eq!(compare(&comparer, DECOMPOSED, Some(&hash)).0, Some(Reading::AsTyped));
    let renewed = verified(&comparer, DECOMPOSED, Some(&hash)).hash.expect("a new hash");
    assert_eq!(compare(&comparer, COMPOSED, Some(&renewed)).0, Some(Reading::Nfc));
}

#[test]
fn what_is_made_up_for_takes_no_more_memory_than_an_imported_hash_may() {
    let comparer = with_cost(4);
    // One pass over 160 MiB: the dummy work makes two over 80 MiB.
    comparer.learn([Work { argon2: Argon2Work { kib: 160 << 10, passes: 1 }, ..Work::default() }].into_iter());
    let (_, work) = compare(&comparer, "a wrong one", None);
    assert_eq!(work.argon2, Argon2Work { kib: 160 << 10, passes: 2 });
}

#[test]
fn stray_bits_in_a_bcrypt_hash_do_not_matter() {
    let comparer = with_cost(4);
    let hash = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
    let stray = hash.replace("Ck.6A", "Ck/6A").replace("0em", "0en");
    assert_ne!(stray, hash);
    assert_eq!(compare(&comparer, "correct-Horse 7", Some(&stray)).0, Some(Reading::Nfc));
    assert_eq!(compare(&comparer, "correct-Horse 8", Some(&stray)).0, None);
}

#[test]
fn what_bcrypt_would_cut_is_wrong_and_the_same_work() {
    let comparer = with_cost(4);
    let hash = hash(&comparer, &"x".repeat(72));
    assert_eq!(compare(&comparer, &"x".repeat(72), Some(&hash)).0, Some(Reading::Nfc));
    for kept in [Some(hash.as_str()), None] {
        assert_eq!(work_of_wrong(&comparer, &"x".repeat(73), kept), (1 << 4, 0, 0));
    }
}

/// They begin and end together, whatever the hashes are.
#[test]
fn the_rounds_side_by_side_are_the_same_for_hashes_of_every_kind_and_for_none() {
    let (comparer, hashes) = comparer();
    let accounts: Vec<Option<&str>> = hashes.iter().map(|hash| Some(hash.as_str())).chain([None]).collect();
    for accounts in accounts.chunks(keyfob_lanes::LANES) {
        let (mut tasks, mut answers) = (Vec::new(), Vec::new());
        for kept in accounts {
            let (answer, answered) = oneshot::channel();
            let kept = kept.map(str::to_owned);
            tasks.push(PasswordTask::verify(Arc::clone(&comparer), "a wrong one".into(), kept, answer));
            answers.push(answered);
        }
        let mut turns = 0;
        loop {
            let is_over: Vec<bool> = tasks.iter_mut().map(|task| task.go_on().is_none()).collect();
            if is_over.contains(&true) {
                assert!(!is_over.contains(&false), "after {turns} turns: {is_over:?}");
                break;
            }
            let mut hashes: Vec<_> = tasks.iter_mut().filter_map(Task::go_on).collect();
            keyfob_lanes::advance(&mut hashes, 1);
            turns += 1;
        }
        assert_eq!(turns, 1 << 7, "the rounds of the costliest");
        for (mut answered, kept) in answers.into_iter().zip(accounts) {
            assert_eq!(answered.try_recv().expect("an answer").reading, None, "{kept:?}");
        }
    }
}
