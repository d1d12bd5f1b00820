//! One piece of password work, step by step, so that a thread can compute its hashes beside those of others.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use keyfob_lanes::{Cost, Hash, MAX_BYTES};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use super::make_up::{bcrypt_costs, make_up_others};
use super::{Comparer, Outcome, Reading};
use crate::passwords::choice::{ChosenPassword, Rules};
use crate::passwords::formats::{KeptHash, NO_PASSWORD, encode_bcrypt};
use crate::passwords::queue::Task;
use crate::passwords::work::Work;
use crate::unicode::nfc;

/// The salt of dummy work.
const NO_SALT: [u8; 16] = [0; 16];

/// Compares a password with an account's hash, or hashes one to store it. It has no `Debug`, so it cannot be logged.
pub(in crate::passwords) struct PasswordTask {
    comparer: Arc<Comparer>,
    password: SecretString,
    kept: Option<KeptHash>,
    most: Work,
    steps: VecDeque<Step>,
    under_way: Option<UnderWay>,
    outcome: Outcome,
    answer: Option<oneshot::Sender<Outcome>>,
}

enum Step {
    /// Reads the account's hash and plans the comparison; without a hash the work is the same.
    Plan(Option<String>),
    /// Compares with the account's own hash.
    Compare(Reading),
    /// Computes bcrypt at that cost, without a result.
    Spend(u32),
    /// Makes up for what is missing of all other work.
    SpendOthers(Reading),
    /// Applies the rules to a chosen password of whose owner so much is known.
    Check(Arc<Rules>, Vec<String>),
    /// Hashes the password for storing.
    Store,
}

/// A hash under way, and what it is for.
struct UnderWay {
    hash: Hash,
    cost: u32,
    purpose: Purpose,
}

enum Purpose {
    Nothing,
    /// A password too long for bcrypt is still compared, cut, and then counts as wrong: the work reveals nothing.
    Compare {
        reading: Reading,
        fits: bool,
    },
    Store {
        salt: [u8; 16],
    },
}

impl PasswordTask {
    /// Hashes a chosen password for storing, unless it breaks a rule. Its length was checked when it was parsed, so nothing
    /// is cut.
    pub(in crate::passwords) fn hash(
        comparer: Arc<Comparer>,
        rules: Arc<Rules>,
        chosen: ChosenPassword,
        answer: oneshot::Sender<Outcome>,
    ) -> Self {
        let (password, known) = chosen.into_parts();
        Self::new(comparer, password, Step::Check(rules, known), answer)
    }

    /// Finds whether the password is right for that hash, and in which form. A password that is not in NFC is compared
    /// twice, for every account. The hash of a right one is renewed if it should be.
    pub(in crate::passwords) fn verify(
        comparer: Arc<Comparer>,
        password: SecretString,
        account_hash: Option<String>,
        answer: oneshot::Sender<Outcome>,
    ) -> Self {
        Self::new(comparer, password, Step::Plan(account_hash), answer)
    }

    fn new(comparer: Arc<Comparer>, password: SecretString, first: Step, answer: oneshot::Sender<Outcome>) -> Self {
        Self {
            comparer,
            password,
            kept: None,
            most: Work::default(),
            steps: VecDeque::from([first]),
            under_way: None,
            outcome: Outcome::default(),
            answer: Some(answer),
        }
    }

    fn begin(&mut self, step: Step) {
        match step {
            Step::Plan(account_hash) => self.plan(account_hash),
            Step::Compare(reading) => self.compare(reading),
            Step::Spend(cost) => {
                let password = self.text(Reading::AsTyped);
                self.begin_hash(password.as_bytes(), &NO_SALT, cost, Purpose::Nothing);
            }
            Step::SpendOthers(reading) => {
                let own = self.own_work();
                make_up_others(&self.text(reading), own, self.most, &mut self.outcome.spent);
            }
            Step::Check(rules, known) => match rules.check(&self.text(Reading::Nfc), &known) {
                Ok(()) => self.steps.push_back(Step::Store),
                Err(fault) => self.outcome.fault = Some(fault),
            },
            Step::Store => self.store(),
        }
    }

    fn plan(&mut self, account_hash: Option<String>) {
        self.kept = account_hash.filter(|hash| hash != NO_PASSWORD).and_then(|hash| {
            let kept = KeptHash::parse(&hash);
            kept.inspect_err(|fault| tracing::error!(cause = %fault, "an account's password hash is unreadable")).ok()
        });
        let own = self.own_work();
        self.most = self.comparer.most_with(own);
        let is_composed = *self.text(Reading::Nfc) == *self.text(Reading::AsTyped);
        for reading in [Reading::Nfc, Reading::AsTyped].into_iter().take(if is_composed { 1 } else { 2 }) {
            self.steps.push_back(Step::Compare(reading));
            self.steps.extend(bcrypt_costs(own, self.most).map(Step::Spend));
            self.steps.push_back(Step::SpendOthers(reading));
        }
    }

    fn compare(&mut self, reading: Reading) {
        let text = self.text(reading);
        let own = self.own_work();
        match &self.kept {
            None => {}
            Some(KeptHash::Bcrypt(kept)) => {
                let (input, salt, cost) = (kept.prepare(&text), kept.salt, kept.cost);
                let purpose = Purpose::Compare { reading, fits: input.len() <= MAX_BYTES };
                self.begin_hash(&input, &salt, cost, purpose);
            }
            Some(KeptHash::Other(kept)) => {
                let large = &self.comparer.large;
                let alone = kept.is_large().then(|| large.lock().unwrap_or_else(PoisonError::into_inner));
                let is_right = kept.is_right(&text);
                drop(alone);
                self.outcome.spent.add(own);
                if is_right {
                    self.found(reading);
                }
            }
        }
    }

    /// The password is right: nothing is left to do, except to renew its hash if that should be replaced and bcrypt would
    /// not cut the password.
    fn found(&mut self, reading: Reading) {
        self.outcome.reading = Some(reading);
        self.steps.clear();
        let cost = self.comparer.cost;
        let is_as_ours = matches!(&self.kept, Some(KeptHash::Bcrypt(hash)) if hash.is_as_ours && hash.cost == cost);
        let is_due = !is_as_ours || reading == Reading::AsTyped;
        if is_due && self.text(Reading::Nfc).len() <= MAX_BYTES {
            self.steps.push_back(Step::Store);
        }
    }

    fn store(&mut self) {
        let mut salt = [0; 16];
        if rand::fill(&mut salt).is_err() {
            tracing::error!("no random salt for a password");
            return;
        }
        let (password, cost) = (self.text(Reading::Nfc), self.comparer.cost);
        self.begin_hash(password.as_bytes(), &salt, cost, Purpose::Store { salt });
    }

    fn begin_hash(&mut self, input: &[u8], salt: &[u8; 16], cost: u32, purpose: Purpose) {
        // The settings and the formats allow no other costs.
        if let Some(parsed) = Cost::parse(cost) {
            self.under_way = Some(UnderWay { hash: Hash::begin(input, salt, parsed), cost, purpose });
        }
    }

    fn end_hash(&mut self, UnderWay { hash, cost, purpose }: UnderWay) {
        let Some(digest) = hash.digest() else { return };
        self.outcome.spent.add(Work::of_bcrypt(cost));
        match purpose {
            Purpose::Nothing => {}
            Purpose::Compare { reading, fits } => {
                let kept = match &self.kept {
                    Some(KeptHash::Bcrypt(kept)) => kept.digest.as_slice(),
                    _ => &[],
                };
                if verify_slices_are_equal(&digest, kept).is_ok() && fits {
                    self.found(reading);
                }
            }
            Purpose::Store { salt } => self.outcome.hash = Some(encode_bcrypt(cost, &salt, &digest)),
        }
    }

    fn finish(&mut self) {
        let outcome = std::mem::take(&mut self.outcome);
        if let Some(answer) = self.answer.take() {
            self.comparer.count(outcome.spent);
            let _ = answer.send(outcome);
        }
    }

    fn own_work(&self) -> Work {
        self.kept.as_ref().map(KeptHash::work).unwrap_or_default()
    }

    fn text(&self, reading: Reading) -> Zeroizing<String> {
        let typed = self.password.expose_secret();
        Zeroizing::new(match reading {
            Reading::Nfc => nfc(typed).into_owned(),
            Reading::AsTyped => typed.to_owned(),
        })
    }
}

impl Task for PasswordTask {
    fn go_on(&mut self) -> Option<&mut Hash> {
        loop {
            match self.under_way.take() {
                Some(under_way) if under_way.hash.is_done() => self.end_hash(under_way),
                Some(under_way) => return Some(&mut self.under_way.insert(under_way).hash),
                None => match self.steps.pop_front() {
                    Some(step) => self.begin(step),
                    None => {
                        self.finish();
                        return None;
                    }
                },
            }
        }
    }
}
