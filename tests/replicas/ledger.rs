//! What the service has acknowledged, and how often it was away.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::support::Client;

/// What clients ask for; each is counted on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    SignUp,
    Post,
    LogIn,
    Me,
    Rename,
    Posts,
    OnePost,
    Refresh,
}

impl Ask {
    pub const ALL: [Self; 8] =
        [Self::SignUp, Self::Post, Self::LogIn, Self::Me, Self::Rename, Self::Posts, Self::OnePost, Self::Refresh];

    /// What visitors ask for; sessions are renewed by their owners.
    pub const OF_VISITORS: [Self; 7] =
        [Self::SignUp, Self::Post, Self::LogIn, Self::Me, Self::Rename, Self::Posts, Self::OnePost];

    /// Whether its errors are those of RFC 6749 §5.2.
    pub fn is_oauth(self) -> bool {
        matches!(self, Self::LogIn | Self::Refresh)
    }

    pub fn success(self) -> u16 {
        if matches!(self, Self::SignUp | Self::Post) { 201 } else { 200 }
    }
}

/// How often something was done, and how often the service was away, since the counting began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub done: usize,
    pub away: usize,
}

#[derive(Debug, Default)]
pub struct Ledger {
    /// Accounts by id, with their e-mail address.
    pub accounts: BTreeMap<i64, String>,
    /// Posts by id, with their title.
    pub posts: BTreeMap<i64, String>,
    /// By replica.
    pub counts: BTreeMap<(usize, Ask), Count>,
    /// The longest time that an answer took.
    pub slowest: Duration,
}

impl Ledger {
    pub fn count(&self, replica: usize, ask: Ask) -> Count {
        self.counts.get(&(replica, ask)).copied().unwrap_or_default()
    }

    /// How often a replica was away.
    pub fn away(&self, replica: usize) -> usize {
        Ask::ALL.iter().map(|&ask| self.count(replica, ask).away).sum()
    }

    /// Nothing that was acknowledged is missing at any replica.
    #[track_caller]
    pub fn expect_everything(&self, replicas: &[&Client]) {
        assert!(!self.accounts.is_empty() && !self.posts.is_empty());
        for replica in replicas {
            let kept = all_posts(replica);
            for (id, title) in &self.posts {
                assert_eq!(kept.get(id), Some(title), "post {id} at {}", replica.address);
            }
        }
        let accounts: Vec<_> = self.accounts.iter().collect();
        thread::scope(|scope| {
            for (number, part) in accounts.chunks(accounts.len().div_ceil(6)).enumerate() {
                let replica = replicas[number % replicas.len()];
                scope.spawn(move || {
                    for &(id, email) in part {
                        assert_eq!(replica.log_in(email).id(), *id, "{email}");
                    }
                });
            }
        });
    }
}

/// Every post, by id, with its title.
fn all_posts(client: &Client) -> BTreeMap<i64, String> {
    let mut posts = BTreeMap::new();
    let mut path = "/posts?limit=100".to_owned();
    loop {
        let page = client.get(&path).expect_json(200);
        for post in page["items"].as_array().expect("items") {
            let title = post["title"].as_str().expect("a title").to_owned();
            let seen = posts.insert(post["id"].as_i64().expect("an id"), title);
            assert_eq!(seen, None, "a post is there twice: {post}");
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/posts?limit=100&cursor={cursor}"),
            None => return posts,
        }
    }
}
