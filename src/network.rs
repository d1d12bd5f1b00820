//! Addresses that count as one.

use std::net::{IpAddr, Ipv6Addr};

/// Who counts as one: an IPv4 address, or the /64 of an IPv6 one, which is a single subscriber's.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}
