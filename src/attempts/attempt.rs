//! What is attempted: the target, its password or secret, and where it comes from.

use std::net::IpAddr;

use crate::network::network;

/// One attempt: its target, its password or secret, and where it comes from.
pub(crate) struct Attempt<'a> {
    pub(super) at: At<'a>,
    pub(super) network: IpAddr,
}

pub(super) enum At<'a> {
    Account { key: &'a str, password: &'a str },
    Client { id: &'a str, secret: &'a str },
    SignUp,
    OneTimeToken,
    Mail { key: &'a str },
}

impl<'a> Attempt<'a> {
    /// An attempt on an account, with a password.
    pub(crate) fn on_account(account_key: &'a str, password: &'a str, address: IpAddr) -> Self {
        Self { at: At::Account { key: account_key, password }, network: network(address) }
    }

    /// An attempt on a client, with a secret.
    pub(crate) fn on_client(id: &'a str, secret: &'a str, address: IpAddr) -> Self {
        Self { at: At::Client { id, secret }, network: network(address) }
    }

    /// A use of a one-time token.
    pub(crate) fn on_one_time_token(address: IpAddr) -> Self {
        Self { at: At::OneTimeToken, network: network(address) }
    }

    /// A request for a mail to an address, whether or not an account has it.
    pub(crate) fn to_be_mailed(account_key: &'a str, address: IpAddr) -> Self {
        Self { at: At::Mail { key: account_key }, network: network(address) }
    }

    /// A sign-up, whose response reveals whether the account exists.
    pub(crate) fn to_sign_up(address: IpAddr) -> Self {
        Self { at: At::SignUp, network: network(address) }
    }
}
