//! Actors, servers and expectations that every test is written with.

mod answer;
mod client;
mod database;
mod forge;
mod home;
mod mail;
mod server;
mod wire;

pub use answer::{Answer, header_names};
pub use client::{Actor, Client, PASSWORD, Request};
pub use forge::{Forge, SECRET, decode, now_seconds};
pub use home::{Home, Run, until};
pub use mail::{Mail, mails_in};
pub use server::Server;
pub use wire::{Wire, connect_from};

/// Every scope, sorted.
pub const SCOPES: [&str; 3] = ["admin", "posts", "profile"];

/// The scopes of an account that is not an admin, sorted.
pub const USER_SCOPES: [&str; 2] = ["posts", "profile"];

/// Whether a text is a request id as the contract allows it.
pub fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// The words of a space-separated list, sorted, so that their order does not matter.
pub fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<_> = text.split(' ').collect();
    words.sort_unstable();
    words
}

/// Whether a text is a time as the contract writes it, such as `2026-11-21T20:58:00Z` or with a fraction of the second.
pub fn is_time(text: &str) -> bool {
    let Some((whole, fraction)) = text.strip_suffix('Z').map(|text| text.split_once('.').unwrap_or((text, "0"))) else {
        return false;
    };
    let shape: String = whole.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00" && !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit())
}
