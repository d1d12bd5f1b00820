//! Groups addresses that count as one.

use std::net::{IpAddr, Ipv6Addr};

/// The unit that limits count by: an IPv4 address, or an IPv6 /64 (one subscriber).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}
