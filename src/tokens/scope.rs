//! Scopes (RFC 6749 §3.3): what a token may be used for.

use serde::{Deserialize, Serialize};

/// The scopes of the service, as types for handlers' signatures: `CurrentUser<scopes::Posts>`.
pub mod scopes {
    use super::RequiredScope;

    /// Read and change the own account.
    #[derive(Clone, Copy, Debug)]
    pub struct Profile;

    /// Write posts.
    #[derive(Clone, Copy, Debug)]
    pub struct Posts;

    /// Act on everybody's accounts and posts; only for admins.
    #[derive(Clone, Copy, Debug)]
    pub struct Admin;

    /// No scope in particular: any good token will do.
    #[derive(Clone, Copy, Debug)]
    pub struct Any;

    impl RequiredScope for Profile {
        const NAME: Option<&'static str> = Some("profile");
    }

    impl RequiredScope for Posts {
        const NAME: Option<&'static str> = Some("posts");
    }

    impl RequiredScope for Admin {
        const NAME: Option<&'static str> = Some("admin");
    }

    impl RequiredScope for Any {
        const NAME: Option<&'static str> = None;
    }
}

/// The scope that a handler requires, named by a type.
pub trait RequiredScope: 'static {
    /// The scope's name; `None`: any good token will do.
    const NAME: Option<&'static str>;
}

/// Every scope with what it allows, in the order in which they are written.
pub(crate) const KNOWN_SCOPES: [(&str, &str); 3] = [
    ("profile", "Read and change the own account"),
    ("posts", "Write, change and delete own posts"),
    ("admin", "Act on everybody's accounts and posts (admins only)"),
];

const ADMIN: &str = "admin";

/// A set of known scopes; written space-separated, each once, in a fixed order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(String);

impl ScopeSet {
    /// All that an account may have.
    #[must_use]
    pub fn of_user(is_admin: bool) -> Self {
        Self::of(|name| is_admin || name != ADMIN)
    }

    /// Reads a space-separated list.
    ///
    /// # Errors
    /// The first scope that is not known, or is malformed.
    pub fn parse(text: &str) -> Result<Self, UnknownScope> {
        let asked: Vec<&str> = text.split(' ').filter(|name| !name.is_empty()).collect();
        let is_known = |name: &&&str| KNOWN_SCOPES.iter().any(|(known, _)| known == *name);
        match asked.iter().find(|name| !is_known(name)) {
            Some(_) => Err(UnknownScope),
            None => Ok(Self::of(|name| asked.contains(&name))),
        }
    }

    /// What both have.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::of(|name| self.contains(name) && other.contains(name))
    }

    /// Whether the set has that scope.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.split(' ').any(|scope| scope == name)
    }

    /// Whether every scope of this set is in the other too.
    #[must_use]
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.intersection(other) == *self
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes, space-separated.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(keep: impl Fn(&str) -> bool) -> Self {
        let kept = KNOWN_SCOPES.iter().map(|(name, _)| *name).filter(|name| keep(name));
        Self(kept.collect::<Vec<_>>().join(" "))
    }
}

/// A scope was asked for that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("A requested scope is unknown or malformed. Known are: profile, posts, admin")]
pub struct UnknownScope;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_blanks_and_repetition_do_not_matter() {
        assert_eq!(ScopeSet::parse(" posts  profile posts ").expect("known").as_str(), "profile posts");
        assert!(ScopeSet::parse("").expect("empty").is_empty());
    }

    #[test]
    fn unknown_malformed_and_miscased_scopes_are_refused() {
        for text in ["post", "Profile", "profile,posts", "profile\tposts", "prof\"ile", "pröfile"] {
            assert!(ScopeSet::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_admins_may_have_admin() {
        let all = ScopeSet::parse("profile posts admin").expect("known");
        assert_eq!(all.intersection(&ScopeSet::of_user(false)).as_str(), "profile posts");
        assert_eq!(ScopeSet::of_user(true), all);
        assert!(ScopeSet::of_user(false).is_subset_of(&all) && !all.is_subset_of(&ScopeSet::of_user(false)));
    }
}
