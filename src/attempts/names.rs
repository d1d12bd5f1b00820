//! The names under which attempts count.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use super::attempt::{At, Attempt};

/// Identifies whose failures these are: a keyed hash, for privacy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name(pub u128);

/// The names under which an attempt counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names {
    /// An account, or a client, from one address. Forgotten after a success.
    pub own: Option<Name>,
    /// An account, from any address: closes nothing by itself.
    pub account: Option<Name>,
    /// Everything from one address.
    pub address: Option<Name>,
    /// Sign-ups from one address, which count when they succeed.
    pub sign_ups: Option<Name>,
    /// Whether an attempt under way counts as one that may fail.
    pub holds: bool,
}

/// Makes the names. They are stored in the database, under a key that all replicas share.
pub(super) struct Naming(Key);

impl Names {
    /// The names that a failure counts for, in the order in which the database locks them.
    pub(super) fn of_failure(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.own.into_iter().chain(self.account).chain(self.address).collect();
        names.sort_unstable();
        names
    }

    /// The names under which an attempt holds a place while it is under way.
    pub(super) fn held(&self) -> impl Iterator<Item = Name> {
        self.own.into_iter().chain(self.address).chain(self.sign_ups).filter(|_| self.holds)
    }
}

impl Naming {
    pub(super) fn new(key: &[u8]) -> Self {
        Self(Key::new(HMAC_SHA256, key))
    }

    pub(super) fn names(&self, attempt: &Attempt<'_>) -> Names {
        let network = attempt.network.to_string();
        let address = |kind| Some(self.name(kind, &[&network]));
        match attempt.at {
            At::Account { key, .. } => Names {
                own: Some(self.name("account from address", &[key, &network])),
                account: Some(self.name("account", &[key])),
                address: address("address"),
                sign_ups: None,
                holds: true,
            },
            // Counted apart from the address's accounts, so that one user's failures do not shut out a server that
            // sends all its users' logins. Such a server sends many requests at once, and a 256-bit secret cannot be
            // guessed: no places are held.
            At::Client { id, .. } => Names {
                own: Some(self.name("client from address", &[id, &network])),
                address: address("clients of address"),
                ..Names::default()
            },
            // Each counts, and apart from guesses: a mail that was asked for opens nothing.
            At::Mail { key } => Names {
                own: Some(self.name("mail to account from address", &[key, &network])),
                address: address("mails of address"),
                holds: true,
                ..Names::default()
            },
            At::OneTimeToken => Names { address: address("address"), holds: true, ..Names::default() },
            At::SignUp => Names {
                address: address("address"),
                sign_ups: address("sign-ups of address"),
                holds: true,
                ..Names::default()
            },
        }
    }

    fn name(&self, kind: &str, parts: &[&str]) -> Name {
        // Neither the first part nor the last contains NUL, so different lists never give the same text.
        let text = [&[kind], parts].concat().join("\0");
        let tag = sign(&self.0, text.as_bytes());
        let short = tag.as_ref().first_chunk().copied().unwrap_or_default();
        Name(u128::from_be_bytes(short))
    }
}
