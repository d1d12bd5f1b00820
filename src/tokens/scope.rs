//! Scopes (RFC 6749 §3.3): what a token may be used for.

use serde::{Deserialize, Serialize};

/// The scopes of the service, as types for handlers' signatures: `CurrentUser<scopes::Posts>`.
pub mod scopes {
    use super::RequiredScope;

    /// Read and change the caller's own account.
    #[derive(Clone, Copy, Debug)]
    pub struct Profile;

    /// Write posts.
    #[derive(Clone, Copy, Debug)]
    pub struct Posts;

    /// Act on all accounts and posts; admins only.
    #[derive(Clone, Copy, Debug)]
    pub struct Admin;

    /// No particular scope: any valid token will do.
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
    /// The scope's name; `None`: any valid token will do.
    const NAME: Option<&'static str>;
}

/// Every scope and what it allows, in the order in which a set is written.
pub(crate) const KNOWN_SCOPES: [(&str, &str); 3] = [
    ("profile", "Read and change your account"),
    ("posts", "Create, change and delete your posts"),
    ("admin", "Act on all accounts and posts (admins only)"),
];

const ADMIN: &str = "admin";

/// A set of known scopes, written separated by spaces, each once, in a fixed order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(String);

impl ScopeSet {
    /// All scopes that an account may have.
    #[must_use]
    pub fn of_user(is_admin: bool) -> Self {
        Self::of(|name| is_admin || name != ADMIN)
    }

    /// Reads a space-separated list.
    ///
    /// # Errors
    /// Names a scope that is unknown or malformed.
    pub fn parse(text: &str) -> Result<Self, UnknownScope> {
        let asked: Vec<&str> = text.split(' ').filter(|name| !name.is_empty()).collect();
        let is_known = |name: &&&str| KNOWN_SCOPES.iter().any(|(known, _)| known == *name);
        match asked.iter().find(|name| !is_known(name)) {
            Some(_) => Err(UnknownScope),
            None => Ok(Self::of(|name| asked.contains(&name))),
        }
    }

    /// The scopes that both sets have.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::of(|name| self.contains(name) && other.contains(name))
    }

    /// Whether the set has that scope.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        !name.is_empty() && self.0.split(' ').any(|scope| scope == name)
    }

    /// Whether every scope of this set is in the other too.
    #[must_use]
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.intersection(other) == *self
    }

    /// Whether the set is empty.
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

/// A requested scope does not exist.
#[derive(Debug, thiserror::Error)]
#[error("A requested scope is unknown or malformed. Known scopes: {}", KNOWN_SCOPES.map(|(name, _)| name).join(", "))]
pub struct UnknownScope;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// Known scopes in any order and number.
    fn known() -> impl Strategy<Value = Vec<&'static str>> {
        prop::collection::vec(prop::sample::select(KNOWN_SCOPES.map(|(name, _)| name).to_vec()), 0..8)
    }

    /// A scope-token (RFC 6749 §3.3): any one, a known one, or one that resembles a known one.
    fn token() -> impl Strategy<Value = String> {
        prop_oneof![
            "[\\x21\\x23-\\x5b\\x5d-\\x7e]{1,12}",
            prop::sample::select(vec!["profile", "posts", "admin", "post", "Posts", "admin,posts", "adminposts"])
                .prop_map(String::from),
        ]
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn whatever_is_asked_for_all_of_it_is_known_or_it_is_refused(
            text in prop_oneof![any::<String>(), prop::collection::vec(token(), 0..5).prop_map(|tokens| tokens.join(" "))],
        ) {
            let names = || text.split(' ').filter(|name| !name.is_empty());
            let is_known = |name: &str| KNOWN_SCOPES.iter().any(|(known, _)| *known == name);
            let parsed = ScopeSet::parse(&text);
            prop_assert_eq!(parsed.is_ok(), names().all(is_known));
            if let Ok(set) = parsed {
                prop_assert_eq!(&ScopeSet::parse(set.as_str()).expect("its own text"), &set);
                prop_assert!(names().all(|name| set.contains(name)));
                prop_assert!(set.as_str().split(' ').all(|name| set.is_empty() || names().any(|asked| asked == name)));
            }
        }

        #[test]
        fn a_set_has_each_scope_once_in_one_order(asked in known(), blanks in " {1,3}") {
            let set = ScopeSet::parse(&asked.join(&blanks)).expect("known");
            let mut sorted = asked;
            sorted.sort_by_key(|name| KNOWN_SCOPES.iter().position(|(known, _)| known == name));
            sorted.dedup();
            prop_assert_eq!(set.as_str(), sorted.join(" "));
        }

        #[test]
        fn a_set_contains_its_scopes_and_nothing_else(asked in known(), name in prop_oneof![any::<String>(), token()]) {
            let set = ScopeSet::parse(&asked.join(" ")).expect("known");
            for name in [name.as_str(), "", " ", set.as_str(), "profile", "profile posts"] {
                prop_assert_eq!(set.contains(name), asked.contains(&name), "{:?} in {:?}", name, set);
            }
        }

        #[test]
        fn sets_are_subsets_of_what_they_are_cut_from(first in known(), second in known()) {
            let [left, right] = [&first, &second].map(|names| ScopeSet::parse(&names.join(" ")).expect("known"));
            let both = left.intersection(&right);
            prop_assert_eq!(&both, &right.intersection(&left));
            prop_assert!(both.is_subset_of(&left) && both.is_subset_of(&right));
            prop_assert_eq!(left.is_subset_of(&right), first.iter().all(|name| second.contains(name)));
            prop_assert_eq!(both.is_empty(), !first.iter().any(|name| second.contains(name)));
        }
    }
}
