//! The internet as address arithmetic.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What is not public of IPv4: addresses of networks' own, of hosts' own, of groups, and reserved ones.
const NOT_PUBLIC: [Ipv4Net; 9] = [
    range(0, 0, 8),
    range(10, 0, 8),
    range(100, 64, 10),
    range(127, 0, 8),
    range(169, 254, 16),
    range(172, 16, 12),
    range(192, 168, 16),
    range(198, 18, 15),
    range(224, 0, 3),
];

const fn range(first: u8, second: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(first, second, 0, 0), length)
}

/// As many IPv4 addresses are the internet at large: a sixteenth of all. The largest networks that anybody
/// has to himself are a sixteenth of that.
const MANY_V4: u64 = 1 << 28;

/// As many public IPv6 addresses are: a /12, which is what a continent has.
const MANY_V6: u128 = 1 << 116;

/// Some addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

impl Addresses {
    /// The addresses of a range in CIDR notation; `None` if it is none.
    pub fn parse(cidr: &str) -> Option<Self> {
        Some(match cidr.parse::<IpNet>().ok()? {
            IpNet::V4(range) => Self { v4: vec![range.trunc()], v6: Vec::new() },
            IpNet::V6(range) => Self { v4: Vec::new(), v6: vec![range.trunc()] },
        })
    }

    /// These, and others.
    pub fn extend(&mut self, others: &Self) {
        self.v4.extend(&others.v4);
        self.v6.extend(&others.v6);
    }

    /// Whether they are the internet at large, in one piece or in many: so many public addresses that
    /// nobody knows who is behind them.
    pub fn are_the_internet(&self) -> bool {
        self.public_v4() >= MANY_V4 || self.public_v6() >= MANY_V6
    }

    /// Whether there is a public address among them.
    pub fn have_public(&self) -> bool {
        self.public_v4() > 0 || self.public_v6() > 0
    }

    fn public_v4(&self) -> u64 {
        let size = |range: &Ipv4Net| 1_u64 << (32 - range.prefix_len());
        let ranges = Ipv4Net::aggregate(&self.v4);
        let public = ranges.iter().map(|range| {
            // Of two ranges, one lies within the other or they have nothing in common.
            let not_public = NOT_PUBLIC.iter().map(|other| {
                if other.contains(range) {
                    size(range)
                } else if range.contains(other) {
                    size(other)
                } else {
                    0
                }
            });
            size(range) - not_public.sum::<u64>()
        });
        public.sum()
    }

    fn public_v6(&self) -> u128 {
        // What is public of IPv6: the eighth that registries give out.
        let public = Ipv6Net::new_assert(std::net::Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
        // All of IPv6 at once does not fit, and is not asked for.
        let size = |range: &Ipv6Net| 1_u128 << (128 - range.prefix_len()).min(127);
        let ranges = Ipv6Net::aggregate(&self.v6);
        let within = ranges.iter().map(|range| {
            if public.contains(range) {
                size(range)
            } else if range.contains(&public) {
                size(&public)
            } else {
                0
            }
        });
        within.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Addresses;

    fn internet(ranges: &[&str]) -> bool {
        let mut all = Addresses::default();
        for range in ranges {
            all.extend(&Addresses::parse(range).unwrap());
        }
        all.are_the_internet()
    }

    #[test]
    fn the_internet_is_the_internet_in_one_piece_or_in_many() {
        assert!(internet(&["0.0.0.0/0"]) && internet(&["::/0"]) && internet(&["2000::/3"]));
        assert!(internet(&["0.0.0.0/1", "128.0.0.0/1"]) && internet(&["::/1", "8000::/1"]));
        assert!(internet(&["8.8.8.8/0"]), "however it is written");
        assert!(internet(&["128.0.0.0/2"]), "half of it is no better");
        let slices: Vec<String> = (32..96).map(|first| format!("{first}.0.0.0/8")).collect();
        assert!(internet(&slices.iter().map(String::as_str).collect::<Vec<_>>()));
    }

    #[test]
    fn a_campus_and_what_is_not_public_are_not() {
        assert!(!internet(&["18.0.0.0/8", "203.0.113.0/24", "2001:db8::/32", "2600:1f00::/24"]));
        assert!(!internet(&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]));
        assert!(!internet(&["224.0.0.0/3", "fe80::/10", "100.64.0.0/10"]));
        assert!(!internet(&["10.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16"]));
        assert!(!internet(&[]));
        assert_eq!(Addresses::parse("everywhere"), None);
    }
}
