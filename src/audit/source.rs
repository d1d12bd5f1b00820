//! Who acts, and from where.

use std::net::IpAddr;

use crate::db::Id;

/// Where a request came from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub ip: IpAddr,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
}

/// Who acts, through which client, and from where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// The account that acts; `None`: unknown, or not an account.
    pub actor_id: Option<Id>,
    /// The session that it acts in.
    pub session_id: Option<Id>,
    pub client_id: Option<String>,
    pub origin: Option<Origin>,
    /// What acts, if it is not an account.
    pub program: Option<&'static str>,
}

impl Source {
    /// A request of an account that has no session yet, or of nobody in particular.
    pub(crate) fn request(origin: Origin, client_id: Option<&str>) -> Self {
        Self { client_id: client_id.map(str::to_owned), origin: Some(origin), ..Self::default() }
    }

    /// A command, run by the operator.
    pub(crate) fn command_line() -> Self {
        Self { program: Some("command line"), ..Self::default() }
    }

    /// The service itself.
    pub(crate) fn service() -> Self {
        Self { program: Some("service"), ..Self::default() }
    }
}
