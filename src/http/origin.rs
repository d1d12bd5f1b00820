//! Where a request comes from: the client's address behind trusted proxies, and its user agent.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Data;
use ipnet::IpNet;

/// How much of a user agent is kept, in characters.
const MAX_USER_AGENT: usize = 200;

/// The proxies whose `X-Forwarded-For` is believed; `server.trusted_proxies`.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }

    /// The rightmost address that is no trusted proxy; text that is no address ends the walk.
    fn client(&self, peer: IpAddr, forwarded: &[&str]) -> IpAddr {
        let mut client = peer;
        for entry in forwarded.iter().rev().flat_map(|line| line.rsplit(',')) {
            if !self.trusts(client) {
                break;
            }
            match parse_address(entry.trim()) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// The address of the client.
pub(crate) fn client_address(req: &HttpRequest) -> IpAddr {
    let peer = req.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip()).to_canonical();
    let Some(proxies) = req.app_data::<Data<TrustedProxies>>() else { return peer };
    if !proxies.trusts(peer) {
        return peer;
    }
    let lines = req.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    proxies.client(peer, &lines.collect::<Vec<_>>())
}

/// The `User-Agent`, cut to a length that is worth keeping and without control characters.
pub(crate) fn user_agent(req: &HttpRequest) -> Option<String> {
    let text = String::from_utf8_lossy(req.headers().get(header::USER_AGENT)?.as_bytes());
    Some(text.chars().filter(|character| !character.is_control()).take(MAX_USER_AGENT).collect())
}

/// An address with or without a port, IPv6 with or without brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies(vec!["10.0.0.0/8".parse().expect("net"), "fd00::/8".parse().expect("net")]);
        proxies.client(peer.parse().expect("address"), forwarded).to_string()
    }

    #[test]
    fn the_rightmost_untrusted_entry_is_the_client() {
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 2.2.2.2, 10.0.0.9"]), "2.2.2.2");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "2.2.2.2:81"]), "2.2.2.2");
        assert_eq!(client("fd00::1", &["[2001:db8::7]:443, fd00::2"]), "2001:db8::7");
    }

    #[test]
    fn nobody_else_can_forge_an_address() {
        assert_eq!(client("9.9.9.9", &["1.1.1.1"]), "9.9.9.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }
}
