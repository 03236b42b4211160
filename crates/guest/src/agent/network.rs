//! Addresses and routes, set by plain system calls: an image need not have any program for it.

use super::kernel::check;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

/// The machine's only network card.
const CARD: &str = "eth0";

/// How the card is set up, unless the kernel's command line says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub address: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Ipv4Addr,
    pub dns: Ipv4Addr,
}

impl Default for Network {
    /// What QEMU's and slirp4netns's user networks offer.
    fn default() -> Self {
        Network {
            address: Ipv4Addr::new(10, 0, 2, 15),
            prefix: 24,
            gateway: Ipv4Addr::new(10, 0, 2, 2),
            dns: Ipv4Addr::new(10, 0, 2, 3),
        }
    }
}

impl Network {
    /// Reads `nullspace.ip=A.B.C.D/N`, `nullspace.gw=` and `nullspace.dns=`. What cannot be read is
    /// left as it usually is.
    pub fn from_command_line(text: &str) -> Network {
        let mut network = Network::default();
        for (key, value) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
            match key {
                "nullspace.ip" => {
                    let (address, prefix) = value.split_once('/').unwrap_or((value, "24"));
                    if let (Ok(address), Ok(prefix @ 0..=32)) = (address.parse(), prefix.parse()) {
                        (network.address, network.prefix) = (address, prefix);
                    }
                }
                "nullspace.gw" => network.gateway = value.parse().unwrap_or(network.gateway),
                "nullspace.dns" => network.dns = value.parse().unwrap_or(network.dns),
                _ => {}
            }
        }
        network
    }

    fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0))
    }
}

/// Whether the machine has a network card.
pub fn has_card() -> bool {
    Path::new("/sys/class/net").join(CARD).exists()
}

/// Brings loopback up. The kernel gives it its address.
pub fn loopback() -> io::Result<()> {
    up(&socket()?, "lo")
}

/// Brings the card up with its address and a route to everywhere.
pub fn card(network: &Network) -> io::Result<()> {
    let socket = socket()?;
    set_address(&socket, libc::SIOCSIFADDR, network.address)?;
    set_address(&socket, libc::SIOCSIFNETMASK, network.mask())?;
    up(&socket, CARD)?;
    let mut name: [libc::c_char; libc::IFNAMSIZ] = named(CARD);
    // SAFETY: a route of zeros is valid, and is filled in below.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    route.rt_dst = address(Ipv4Addr::UNSPECIFIED);
    route.rt_genmask = address(Ipv4Addr::UNSPECIFIED);
    route.rt_gateway = address(network.gateway);
    route.rt_flags = libc::RTF_UP | libc::RTF_GATEWAY;
    route.rt_dev = name.as_mut_ptr();
    // SAFETY: `route` and the name it points to are valid for the length of the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCADDRT as _, &route) })
}

/// Tells the image's programs where to ask for names. Whatever the image had names servers that
/// cannot be reached from here.
pub fn write_resolv_conf(network: &Network) -> io::Result<()> {
    let path = Path::new("/etc/resolv.conf");
    // Often a link to a file that a service not running here would make.
    if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        fs::remove_file(path)?;
    }
    fs::write(path, format!("nameserver {}\n", network.dns))
}

fn socket() -> io::Result<OwnedFd> {
    // SAFETY: takes numbers; the descriptor it returns is nobody else's.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        check(socket)?;
        Ok(OwnedFd::from_raw_fd(socket))
    }
}

fn up(socket: &OwnedFd, interface: &str) -> io::Result<()> {
    let mut request = request(interface);
    // SAFETY: `request` is valid for the length of each call, and the kernel fills in the flags.
    unsafe {
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &mut request))?;
        request.ifr_ifru.ifru_flags |= (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &request))
    }
}

fn set_address(socket: &OwnedFd, order: libc::Ioctl, to: Ipv4Addr) -> io::Result<()> {
    let mut request = request(CARD);
    request.ifr_ifru.ifru_addr = address(to);
    // SAFETY: `request` is valid for the length of the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), order, &request) })
}

fn request(interface: &str) -> libc::ifreq {
    // SAFETY: a request of zeros is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name = named(interface);
    request
}

fn named(interface: &str) -> [libc::c_char; libc::IFNAMSIZ] {
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(interface.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    name
}

fn address(to: Ipv4Addr) -> libc::sockaddr {
    // SAFETY: an address of zeros is valid.
    let mut address: libc::sockaddr = unsafe { std::mem::zeroed() };
    address.sa_family = libc::AF_INET as libc::sa_family_t;
    // As the kernel's `struct sockaddr_in`: two bytes of port, then the address.
    for (to, from) in address.sa_data[2..].iter_mut().zip(to.octets()) {
        *to = from as libc::c_char;
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_may_say_how_the_card_is_set_up() {
        let said =
            Network::from_command_line("quiet nullspace.ip=10.9.8.7/16 nullspace.gw=10.9.0.1 nullspace.dns=1.1.1.1");
        assert_eq!(said.address, Ipv4Addr::new(10, 9, 8, 7));
        assert_eq!(said.mask(), Ipv4Addr::new(255, 255, 0, 0));
        assert_eq!(said.gateway, Ipv4Addr::new(10, 9, 0, 1));
        assert_eq!(said.dns, Ipv4Addr::new(1, 1, 1, 1));
    }

    #[test]
    fn what_cannot_be_read_is_left_as_it_usually_is() {
        let usual = Network::default();
        assert_eq!(Network::from_command_line(""), usual);
        assert_eq!(Network::from_command_line("nullspace.ip=10.0.0.1/99 nullspace.gw=x nullspace.dns"), usual);
        assert_eq!(Network { prefix: 0, ..usual }.mask(), Ipv4Addr::UNSPECIFIED);
        assert_eq!(Network { prefix: 32, ..usual }.mask(), Ipv4Addr::BROADCAST);
    }
}
