//! Posts: a sample of a protected resource, meant to be copied.

pub(crate) mod export;
pub(crate) mod model;
pub(crate) mod routes;
pub(crate) mod store;

use crate::tokens::RequiredScope;
use crate::tokens::scope::Scope;

/// The scope of this resource: write posts.
#[derive(Clone, Copy, Debug)]
pub struct Posts;

impl RequiredScope for Posts {
    const NAME: Option<&'static str> = Some("posts");
}

pub(crate) const SCOPE: Scope =
    Scope { name: "posts", description: "Create, change and delete your posts", is_for_admins: false };
