//! Which network addresses a service may have. Pure: it judges an address by its number alone.
//!
//! The author of a service object chooses where the operator sends requests, from the operator's own position in the
//! network. Two kinds of addresses are never meant. Link-local and metadata addresses trust everybody who can reach them,
//! without a password: a cloud gives the credentials of the machine away there. And a wildcard, multicast or broadcast
//! address is no service. Loopback and private addresses are allowed: most services run inside the user's own network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The addresses outside the link-local ranges where clouds give credentials away: Alibaba, Oracle's older machines,
/// Azure's wire server.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(168, 63, 129, 16)];

/// The same for IPv6, each with the length of its prefix: all addresses that AWS reserves for its machines, Google, Scaleway.
const METADATA_V6: [(Ipv6Addr, u32); 3] = [
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
    (Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), 128),
];

/// Prefixes whose last 32 bits are an IPv4 address: mapped, compatible, translated, and the two of NAT64.
const ENDS_IN_V4: [(Ipv6Addr, u32); 5] = [
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 96),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
];

/// Why a service may not have an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// It means this link only, as most metadata services do.
    LinkLocal,
    /// A metadata service of a cloud.
    Metadata,
    /// "This host" or "this network".
    Unspecified,
    /// A group of hosts.
    Multicast,
    /// All hosts.
    Broadcast,
}

impl Forbidden {
    /// Whether `connection.allowLinkLocal` allows it.
    pub fn can_be_allowed(self) -> bool {
        matches!(self, Self::LinkLocal | Self::Metadata)
    }

    /// What to do about it, for a message.
    pub fn advice(self) -> &'static str {
        match self {
            Self::LinkLocal | Self::Metadata => {
                "use the service's own address; if the service really is there, set spec.connection.allowLinkLocal: true"
            }
            Self::Unspecified | Self::Multicast | Self::Broadcast => "use the service's own address",
        }
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the metadata service of a cloud",
            Self::Unspecified => "not the address of any host",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
        })
    }
}

/// The address in a URL itself, however the user wrote it: a parsed URL has decimal, octal and hexadecimal addresses in
/// their plain form. `None` for a name, which the resolver judges when it looks it up.
pub fn of(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

/// Why the operator sends nothing to `address`; `None` if it may. An IPv6 address that contains an IPv4 address is judged by
/// that, too.
pub fn forbidden(address: IpAddr, allow_link_local: bool) -> Option<Forbidden> {
    let why = match address {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    };
    why.filter(|why| !(allow_link_local && why.can_be_allowed()))
}

fn forbidden_v4(address: Ipv4Addr) -> Option<Forbidden> {
    if address.octets()[0] == 0 {
        Some(Forbidden::Unspecified)
    } else if address.is_link_local() {
        Some(Forbidden::LinkLocal)
    } else if METADATA_V4.contains(&address) {
        Some(Forbidden::Metadata)
    } else if address.is_multicast() {
        Some(Forbidden::Multicast)
    } else if address.is_broadcast() {
        Some(Forbidden::Broadcast)
    } else {
        None
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<Forbidden> {
    if address.is_loopback() {
        None
    } else if address.is_unspecified() {
        Some(Forbidden::Unspecified)
    } else if address.is_unicast_link_local() {
        Some(Forbidden::LinkLocal)
    } else if METADATA_V6.iter().any(|range| is_in(address, *range)) {
        Some(Forbidden::Metadata)
    } else if address.is_multicast() {
        Some(Forbidden::Multicast)
    } else {
        carried(address).into_iter().flatten().find_map(forbidden_v4)
    }
}

/// The IPv4 addresses that an IPv6 address contains: at its end, or where 6to4, Teredo and ISATAP put them.
fn carried(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let parts = address.segments();
    let at = |index: usize| v4(parts[index], parts[index + 1]);
    let in_end = ENDS_IN_V4.iter().any(|range| is_in(address, *range));
    let isatap = parts[4] & 0xfdff == 0 && parts[5] == 0x5efe;
    let teredo = parts[0] == 0x2001 && parts[1] == 0;
    [
        (in_end || isatap).then(|| at(6)),
        (parts[0] == 0x2002).then(|| at(1)),
        teredo.then(|| at(2)),
        teredo.then(|| v4(!parts[6], !parts[7])),
    ]
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

fn is_in(address: Ipv6Addr, (prefix, bits): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ prefix.to_bits()).leading_zeros() >= bits
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// `expected` is `None` where the address is allowed.
    fn check(address: &str, expected: Option<Forbidden>) {
        assert_eq!(forbidden(address.parse().unwrap(), false), expected, "{address}");
        let kept = expected.filter(|why| !why.can_be_allowed());
        assert_eq!(forbidden(address.parse().unwrap(), true), kept, "{address}, allowed");
    }

    #[test]
    fn what_hands_out_credentials_or_is_no_host_is_forbidden() {
        for address in ["169.254.169.254", "169.254.0.0", "169.254.255.255", "169.254.170.2", "fe80::1", "febf::1"] {
            check(address, Some(Forbidden::LinkLocal));
        }
        let metadata = ["100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd00:ec2::23"];
        for address in metadata.into_iter().chain(["fd20:ce::254", "fd00:42::42"]) {
            check(address, Some(Forbidden::Metadata));
        }
        for address in ["0.0.0.0", "0.1.2.3", "::"] {
            check(address, Some(Forbidden::Unspecified));
        }
        for address in ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"] {
            check(address, Some(Forbidden::Multicast));
        }
        check("255.255.255.255", Some(Forbidden::Broadcast));
    }

    #[test]
    fn an_ipv4_address_inside_an_ipv6_one_is_judged_too() {
        for address in [
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::169.254.169.254",
            "64:ff9b:1:fffe::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:a9fe:a9fe::1",
            "2001:0:4136:e378:8000:63bf:5601:5601",
            "2001:db8::5efe:169.254.169.254",
            "2001:db8::200:5efe:169.254.169.254",
        ] {
            check(address, Some(Forbidden::LinkLocal));
        }
        check("::ffff:100.100.100.200", Some(Forbidden::Metadata));
        check("::ffff:0.0.0.0", Some(Forbidden::Unspecified));
        check("::ffff:255.255.255.255", Some(Forbidden::Broadcast));
        check("64:ff9b::224.0.0.1", Some(Forbidden::Multicast));
    }

    #[test]
    fn the_own_network_and_the_internet_are_allowed() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.201",
            "169.253.255.255",
            "169.255.0.0",
            "192.0.0.191",
            "93.184.216.34",
            "::1",
            "fc00::1",
            "fd00:ec3::254",
            "fd00:ec1:ffff::1",
            "fec0::1",
            "2606:4700::1111",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:a00:1::1",
        ] {
            check(address, None);
        }
    }
}
