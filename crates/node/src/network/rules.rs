//! What machines may send to, as a packet filter's rules. Pure.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// The network between the namespace and slirp4netns: a range set aside for benchmarks, so that it
/// hides nothing that anybody wants to reach.
pub const CIDR: &str = "198.18.0.0/24";
/// slirp4netns's resolver, which asks the host's.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 3);
/// The device that leads out.
pub const DEVICE: &str = "tap0";

/// Ranges that are never on the public internet: this network, private and shared ones, loopback,
/// link-local with the clouds' metadata services, multicast and what is reserved.
const NOT_PUBLIC: [&str; 10] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
];

/// A range that machines may reach although it is private: a package mirror, say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    address: Ipv4Addr,
    prefix: u8,
}

impl std::str::FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        match (address.parse(), prefix.parse()) {
            (Ok(address), Ok(prefix @ 0..=32)) => Ok(Self { address, prefix }),
            _ => Err(format!("`{text}` is not an IPv4 address or range")),
        }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The whole rule set; loading it replaces the one before in one step.
pub fn rule_set(host: &BTreeSet<Ipv4Addr>, allowed: &[Range]) -> String {
    let resolver = RESOLVER;
    let mut rules = String::from("table inet nullspace {}\nflush table inet nullspace\ntable inet nullspace {\n");
    rules.push_str(
        "chain refuse {\nmeta l4proto tcp reject with tcp reset\nreject with icmpx type admin-prohibited\n}\n",
    );
    rules.push_str("chain output {\ntype filter hook output priority 0; policy drop;\n");
    // Answers to what was refused, and nothing else, stay inside.
    rules.push_str("oifname \"lo\" meta l4proto tcp tcp flags & rst == rst accept\n");
    rules.push_str("oifname \"lo\" meta l4proto icmp icmp type destination-unreachable accept\n");
    rules.push_str("meta nfproto ipv6 drop\n");
    let _ = writeln!(rules, "ip daddr {resolver} udp dport 53 accept\nip daddr {resolver} tcp dport 53 accept");
    // The host itself comes before what is allowed: no setting opens it.
    for address in host {
        let _ = writeln!(rules, "ip daddr {address} goto refuse");
    }
    for range in allowed {
        let _ = writeln!(rules, "ip daddr {range} oifname \"{DEVICE}\" accept");
    }
    let _ = writeln!(rules, "ip daddr {{ {} }} goto refuse", NOT_PUBLIC.join(", "));
    let _ = writeln!(rules, "oifname \"{DEVICE}\" accept\n}}\n}}");
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_refused_before_anything_is_allowed() {
        let host = BTreeSet::from(["10.1.2.3".parse().unwrap()]);
        let rules = rule_set(&host, &["10.0.0.0/8".parse().unwrap()]);
        let refused = rules.find("ip daddr 10.1.2.3 goto refuse").unwrap();
        assert!(refused < rules.find("ip daddr 10.0.0.0/8 oifname").unwrap());
        assert!(rules.contains("policy drop"));
    }

    #[test]
    fn ranges_are_parsed_and_nothing_else_reaches_the_rules() {
        assert_eq!("10.0.0.1".parse::<Range>().unwrap().to_string(), "10.0.0.1/32");
        for bad in ["", "10.0.0.0/33", "10.0.0.0/8; accept", "::1", "host"] {
            assert!(bad.parse::<Range>().is_err(), "{bad}");
        }
    }
}
