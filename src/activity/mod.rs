//! Reading the audit trail: owners read what happened to their account, admins read everything.

pub(crate) mod export;
pub(crate) mod model;
pub(crate) mod routes;
