//! Scopes (RFC 6749 §3.3): what a token may be used for.

use serde::{Deserialize, Serialize};

/// Scopes as types for handlers' signatures: `CurrentUser<scopes::Profile>`.
pub(crate) mod scopes {
    use super::RequiredScope;

    /// Read and change the caller's own account.
    #[derive(Clone, Copy, Debug)]
    pub struct Profile;

    /// Act on all accounts and posts; admins only.
    #[derive(Clone, Copy, Debug)]
    pub struct Admin;

    /// No particular scope: any valid token will do.
    #[derive(Clone, Copy, Debug)]
    pub struct Any;

    impl RequiredScope for Profile {
        const NAME: Option<&'static str> = Some("profile");
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

/// A scope and what it allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub name: &'static str,
    /// For the page on which a person grants it.
    pub description: &'static str,
    pub is_for_admins: bool,
}

/// Act on everyone's data.
pub(crate) const ADMIN: Scope =
    Scope { name: "admin", description: "Act on all accounts and posts (admins only)", is_for_admins: true };

/// All scopes of a service, in the order in which a set is written. `app/` lists them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scopes(pub &'static [Scope]);

impl Scopes {
    /// Reads a space-separated list.
    ///
    /// # Errors
    /// A scope is unknown or malformed.
    pub(crate) fn parse(self, text: &str) -> Result<ScopeSet, UnknownScope> {
        let asked = ScopeSet(text.to_owned());
        let is_known = |name: &str| self.names().any(|known| known == name);
        if asked.names().all(is_known) {
            Ok(self.of(|scope| asked.contains(scope.name)))
        } else {
            Err(UnknownScope(self))
        }
    }

    /// All scopes that an account may have.
    pub(crate) fn of_user(self, is_admin: bool) -> ScopeSet {
        self.of(|scope| is_admin || !scope.is_for_admins)
    }

    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|scope| scope.name)
    }

    fn of(self, keep: impl Fn(&Scope) -> bool) -> ScopeSet {
        ScopeSet::of(self.0.iter().filter(|scope| keep(scope)).map(|scope| scope.name))
    }
}

/// A set of scopes, written separated by spaces, each once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(String);

impl ScopeSet {
    /// A set that [`as_str`](Self::as_str) wrote.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The scopes that both sets have, in the order of this one.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::of(self.names().filter(|name| other.contains(name)))
    }

    /// Whether the set has that scope.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.names().any(|scope| scope == name)
    }

    /// Whether every scope of this set is in the other too.
    #[must_use]
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.names().all(|name| other.contains(name))
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

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.collect::<Vec<_>>().join(" "))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|name| !name.is_empty())
    }
}

/// A requested scope does not exist.
#[derive(Debug, thiserror::Error)]
#[error("A requested scope is unknown or malformed. Known scopes: {}", .0.names().collect::<Vec<_>>().join(", "))]
pub(crate) struct UnknownScope(Scopes);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCOPES: Scopes = Scopes(&[
        Scope { name: "profile", description: "", is_for_admins: false },
        Scope { name: "posts", description: "", is_for_admins: false },
        ADMIN,
    ]);

    #[test]
    fn order_blanks_and_repetition_do_not_matter() {
        assert_eq!(SCOPES.parse(" posts  profile posts ").expect("known").as_str(), "profile posts");
        assert!(SCOPES.parse("").expect("empty").is_empty());
    }

    #[test]
    fn unknown_malformed_and_miscased_scopes_are_refused() {
        for text in ["post", "Profile", "profile,posts", "profile\tposts", "prof\"ile", "pröfile"] {
            assert!(SCOPES.parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_admins_may_have_admin() {
        let all = SCOPES.parse("profile posts admin").expect("known");
        assert_eq!(all.intersection(&SCOPES.of_user(false)).as_str(), "profile posts");
        assert_eq!(SCOPES.of_user(true), all);
        assert!(SCOPES.of_user(false).is_subset_of(&all) && !all.is_subset_of(&SCOPES.of_user(false)));
    }

    /// Known scopes in any order and number.
    fn known() -> impl Strategy<Value = Vec<&'static str>> {
        prop::collection::vec(prop::sample::select(SCOPES.names().collect::<Vec<_>>()), 0..8)
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
            let is_known = |name: &str| SCOPES.names().any(|known| known == name);
            let parsed = SCOPES.parse(&text);
            prop_assert_eq!(parsed.is_ok(), names().all(is_known));
            if let Ok(set) = parsed {
                prop_assert_eq!(&SCOPES.parse(set.as_str()).expect("its own text"), &set);
                prop_assert!(names().all(|name| set.contains(name)));
                prop_assert!(set.as_str().split(' ').all(|name| set.is_empty() || names().any(|asked| asked == name)));
            }
        }

        #[test]
        fn a_set_has_each_scope_once_in_one_order(asked in known(), blanks in " {1,3}") {
            let set = SCOPES.parse(&asked.join(&blanks)).expect("known");
            let mut sorted = asked;
            sorted.sort_by_key(|name| SCOPES.names().position(|known| known == *name));
            sorted.dedup();
            prop_assert_eq!(set.as_str(), sorted.join(" "));
        }

        #[test]
        fn a_set_contains_its_scopes_and_nothing_else(asked in known(), name in prop_oneof![any::<String>(), token()]) {
            let set = SCOPES.parse(&asked.join(" ")).expect("known");
            for name in [name.as_str(), "", " ", set.as_str(), "profile", "profile posts"] {
                prop_assert_eq!(set.contains(name), asked.contains(&name), "{:?} in {:?}", name, set);
            }
        }

        #[test]
        fn sets_are_subsets_of_what_they_are_cut_from(first in known(), second in known()) {
            let [left, right] = [&first, &second].map(|names| SCOPES.parse(&names.join(" ")).expect("known"));
            let both = left.intersection(&right);
            prop_assert_eq!(&both, &right.intersection(&left));
            prop_assert!(both.is_subset_of(&left) && both.is_subset_of(&right));
            prop_assert_eq!(left.is_subset_of(&right), first.iter().all(|name| second.contains(name)));
            prop_assert_eq!(both.is_empty(), !first.iter().any(|name| second.contains(name)));
        }
    }
}
