//! Where a request comes from: the client's address behind trusted proxies, and its user agent.

mod forwarded;
mod watch;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;
use ipnet::IpNet;

use crate::db::Timestamp;
use watch::ProxyWatch;

/// The longest user agent to keep, in characters.
const MAX_USER_AGENT: usize = 200;

/// The proxies whose `X-Forwarded-For` or `Forwarded` is trusted; `server.trusted_proxies`.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies {
    networks: Vec<IpNet>,
    /// Shared by all threads.
    watch: Arc<ProxyWatch>,
}

impl TrustedProxies {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self { networks, watch: Arc::default() }
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The first untrusted address on the way back from the peer. `hops` is the path that the proxies report, the last
    /// proxy at its end. A hop without an address ends the search: anyone may have written what stands before it.
    fn client(&self, peer: IpAddr, hops: impl DoubleEndedIterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for hop in hops.rev() {
            if !self.trusts(client) {
                break;
            }
            match hop {
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
    let is_trusted = proxies.trusts(peer);
    proxies.watch.see(peer, !is_trusted && forwarded::is_forwarded(req.headers()), Timestamp::now());
    if is_trusted { proxies.client(peer, hops(req.headers()).into_iter()) } else { peer }
}

/// The hops that a request's headers report, the client first. `X-Forwarded-For` wins where both are present: nearly
/// all proxies write that one and pass on a client's made-up `Forwarded` unchanged.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = |name| headers.get_all(name).map(|value| value.to_str().unwrap_or(forwarded::UNREADABLE));
    match headers.contains_key(header::X_FORWARDED_FOR) {
        true => forwarded::x_forwarded_for(lines(header::X_FORWARDED_FOR)),
        false => forwarded::forwarded(lines(header::FORWARDED)),
    }
}

/// The `User-Agent` without control characters, cut to `MAX_USER_AGENT`.
pub(crate) fn user_agent(req: &HttpRequest) -> Option<String> {
    let text = String::from_utf8_lossy(req.headers().get(header::USER_AGENT)?.as_bytes());
    Some(text.chars().filter(|character| !character.is_control()).take(MAX_USER_AGENT).collect())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn proxies() -> TrustedProxies {
        TrustedProxies::new(vec!["10.0.0.0/8".parse().expect("net"), "fd00::/8".parse().expect("net")])
    }

    fn client(peer: &str, headers: &[(&str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse().expect("name"), HeaderValue::from_str(value).expect("value"));
        }
        proxies().client(peer.parse().expect("address"), hops(&map).into_iter()).to_string()
    }

    fn by_x_forwarded_for(peer: &str, lines: &[&str]) -> String {
        let headers: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        client(peer, &headers)
    }

    fn by_forwarded(peer: &str, lines: &[&str]) -> String {
        let headers: Vec<_> = lines.iter().map(|line| ("forwarded", *line)).collect();
        client(peer, &headers)
    }

    #[test]
    fn the_rightmost_untrusted_entry_is_the_client() {
        assert_eq!(by_x_forwarded_for("10.0.0.1", &["1.1.1.1, 2.2.2.2, 10.0.0.9"]), "2.2.2.2");
        assert_eq!(by_x_forwarded_for("10.0.0.1", &["1.1.1.1", "2.2.2.2:81"]), "2.2.2.2");
        assert_eq!(by_x_forwarded_for("fd00::1", &["[2001:db8::7]:443, fd00::2"]), "2001:db8::7");
        assert_eq!(by_forwarded("10.0.0.1", &["for=1.1.1.1, for=2.2.2.2;proto=https, For=10.0.0.9"]), "2.2.2.2");
        assert_eq!(by_forwarded("10.0.0.1", &["for=1.1.1.1", "by=10.0.0.1;for=\"2.2.2.2:81\""]), "2.2.2.2");
        assert_eq!(by_forwarded("fd00::1", &["for=\"[2001:db8::7]:443\", for=\"[fd00::2]\""]), "2001:db8::7");
        assert_eq!(by_forwarded("10.0.0.1", &["for=\"[2001:db8::7]:_port\";host=\"a, b;for=1.1.1.1\""]), "2001:db8::7");
    }

    #[test]
    fn nobody_else_can_forge_an_address() {
        assert_eq!(by_x_forwarded_for("9.9.9.9", &["1.1.1.1"]), "9.9.9.9");
        assert_eq!(by_x_forwarded_for("10.0.0.1", &["1.1.1.1, nonsense"]), "10.0.0.1");
        assert_eq!(by_x_forwarded_for("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(by_forwarded("9.9.9.9", &["for=1.1.1.1"]), "9.9.9.9");
        for hidden in [
            "for=unknown",
            "for=_hidden",
            "for=\"_hidden:_port\"",
            "proto=https",
            "nonsense",
            "for=1.1.1.1;for=1.1.1.1",
        ] {
            assert_eq!(by_forwarded("10.0.0.1", &["for=1.1.1.1", hidden]), "10.0.0.1", "{hidden}");
            assert_eq!(by_forwarded("10.0.0.1", &[&format!("{hidden}, for=10.0.0.7")]), "10.0.0.7", "{hidden}");
        }
    }

    #[test]
    fn an_empty_element_is_passed_over() {
        for line in ["2.2.2.2,", "2.2.2.2, ,10.0.0.9", ",2.2.2.2,,", "1.1.1.1, , 2.2.2.2\t, \t"] {
            assert_eq!(by_x_forwarded_for("10.0.0.1", &[line]), "2.2.2.2", "{line:?}");
            assert_eq!(by_x_forwarded_for("10.0.0.1", &["1.1.1.1", line, "", " ,"]), "2.2.2.2", "{line:?}");
        }
        for line in ["for=2.2.2.2,", "for=2.2.2.2, ,for=10.0.0.9", ",for=2.2.2.2,,", "for=2.2.2.2;", ";;for=2.2.2.2; ;"]
        {
            assert_eq!(by_forwarded("10.0.0.1", &[line]), "2.2.2.2", "{line:?}");
            assert_eq!(by_forwarded("10.0.0.1", &["for=1.1.1.1", line, "", " ,"]), "2.2.2.2", "{line:?}");
        }
        assert_eq!(by_x_forwarded_for("10.0.0.1", &["", ","]), "10.0.0.1");
        assert_eq!(by_forwarded("10.0.0.1", &["for=1.1.1.1", ";"]), "10.0.0.1", "an element that names nobody");
    }

    #[test]
    fn a_line_that_cannot_be_read_does_not_uncover_the_one_before_it() {
        for (name, line) in [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1")] {
            let mut map = HeaderMap::new();
            map.append(name.parse().expect("name"), HeaderValue::from_static(line));
            map.append(name.parse().expect("name"), HeaderValue::from_bytes(b"\xff, 2.2.2.2").expect("value"));
            let peer = "10.0.0.1".parse().expect("address");
            assert_eq!(proxies().client(peer, hops(&map).into_iter()), peer, "{name}");
        }
    }

    #[test]
    fn an_open_quote_does_not_swallow_what_a_proxy_appends() {
        assert_eq!(by_forwarded("10.0.0.1", &["for=1.1.1.1;x=\", for=2.2.2.2"]), "10.0.0.1");
        assert_eq!(by_forwarded("10.0.0.1", &["for=1.1.1.1;x=\"\\, for=\"[2001:db8::7]\""]), "10.0.0.1");
        assert_eq!(by_forwarded("10.0.0.1", &["for=1.1.1.1;x=\"", "for=2.2.2.2"]), "2.2.2.2");
    }

    #[test]
    fn a_forwarded_header_beside_x_forwarded_for_is_not_looked_at() {
        let both = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "2.2.2.2")];
        assert_eq!(client("10.0.0.1", &both), "2.2.2.2");
        assert_eq!(client("10.0.0.1", &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "")]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", ",")]), "10.0.0.1");
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 3]>().prop_map(|[b, c, d]| IpAddr::from([10, b, c, d])),
            // Canonical, like every address that is parsed.
            any::<[u8; 16]>().prop_map(|bytes| IpAddr::from(bytes).to_canonical()),
            any::<u64>().prop_map(|low| IpAddr::from((0xfd_u128 << 120 | u128::from(low)).to_be_bytes())),
        ]
    }

    /// The address as proxies write it in either header, with or without a port.
    fn written(address: IpAddr, port: Option<u16>) -> String {
        match (address, port) {
            (address, Some(port)) => std::net::SocketAddr::new(address, port).to_string(),
            (IpAddr::V6(address), None) => format!("[{address}]"),
            (address, None) => address.to_string(),
        }
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn whatever_is_sent_an_untrusted_peer_is_the_client(
            peer in address(), lines in prop::collection::vec(any::<String>(), 0..4),
        ) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let proxies = proxies();
            for hops in [forwarded::x_forwarded_for(lines.iter().copied()), forwarded::forwarded(lines.iter().copied())] {
                let found = proxies.client(peer, hops.iter().copied());
                prop_assert!(proxies.trusts(peer) || found == peer);
                prop_assert!(found == peer || hops.contains(&Some(found)));
            }
        }

        #[test]
        fn the_client_is_the_last_who_is_no_proxy_and_nothing_before_matters(
            forged in "[ -~]{0,60}", client in address(), port in any::<Option<u16>>(),
            via in prop::collection::vec((any::<[u8; 3]>(), any::<Option<u16>>()), 0..4),
        ) {
            prop_assume!(!proxies().trusts(client));
            let peer = IpAddr::from([10, 0, 0, 1]);
            let via = via.into_iter().map(|([b, c, d], port)| (IpAddr::from([10, b, c, d]), port));
            let way: Vec<String> =
                std::iter::once((client, port)).chain(via).map(|(address, port)| written(address, port)).collect();
            let plain = [forged.as_str(), &way.join(", ")];
            prop_assert_eq!(proxies().client(peer, forwarded::x_forwarded_for(plain.into_iter()).into_iter()), client);
            let appended = format!("{forged}, {}", way.join(", "));
            prop_assert_eq!(proxies().client(peer, forwarded::x_forwarded_for([&*appended].into_iter()).into_iter()), client);
            let quoted: Vec<String> = way.iter().map(|hop| format!("for=\"{hop}\";proto=https")).collect();
            let tagged = [forged.as_str(), &quoted.join(",")];
            prop_assert_eq!(proxies().client(peer, forwarded::forwarded(tagged.into_iter()).into_iter()), client);
            // An open quote makes the line unreadable; it never yields another client.
            let appended = format!("{forged}, {}", quoted.join(","));
            let found = proxies().client(peer, forwarded::forwarded([&*appended].into_iter()).into_iter());
            prop_assert!(found == client || found == peer, "{} is neither {} nor the proxy", found, client);
        }
    }
}
