//! The way out for machines, and only that.
//!
//! ```text
//! guest ─ virtio-net ─ QEMU's user network ─ sockets in a network namespace ─ packet filter ─ tap0
//!                                                                                              │
//!                                     the host's sockets ◀─ slirp4netns --disable-host-loopback ┘
//! ```
//!
//! QEMU's user network alone would map an address to the host's loopback. So VMMs run in a network
//! namespace of the server's own, whose only way out refuses the host and every range that is not
//! public. Two processes make it, both journalled and taken up again by the next server: a holder that
//! keeps the namespace, and slirp4netns. Where one cannot be had, machines have no way out at all.

mod entrance;
mod rules;

pub use entrance::Entrance;
pub use rules::{RESOLVER, Range};

use crate::driver::Error;
use crate::journal::{Process, boot_id, parse_stat, running};
use crate::process::{self, Identity, Launch, Watched};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// slirp4netns is up in a fraction of a second; a loaded host takes longer.
const UP_WITHIN: Duration = Duration::from_secs(15);

/// Both processes end at once when they are killed.
const END_WITHIN: Duration = Duration::from_secs(2);

/// The host's own addresses change when it joins another network: looked up again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What to let through besides public addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub allowed: Vec<Range>,
}

/// The namespace that machines run in.
pub struct EgressNetwork {
    directory: PathBuf,
    settings: Settings,
    state: Mutex<State>,
}

struct State {
    entrance: Arc<Entrance>,
    way_out: Result<WayOut, String>,
}

struct WayOut {
    holder: Watched,
    slirp: Watched,
    filtered: BTreeSet<Ipv4Addr>,
    looked: Instant,
}

impl EgressNetwork {
    /// Takes up the network of an earlier server, or makes it. Blocks for up to some seconds. Never
    /// fails: without a way out, machines have none, and `warnings` says why.
    pub fn open(directory: &Path, settings: Settings) -> Self {
        let network = Self {
            directory: directory.to_owned(),
            settings,
            state: Mutex::new(State { entrance: Arc::new(isolated()), way_out: Err(String::new()) }),
        };
        network.restore();
        network
    }

    /// A network without a way out, for where none is wanted.
    pub fn none() -> Self {
        let way_out = Err("machines were given none".to_owned());
        let state = Mutex::new(State { entrance: Arc::new(isolated()), way_out });
        Self { directory: PathBuf::new(), settings: Settings::default(), state }
    }

    /// Whether machines can reach public addresses now.
    pub fn is_up(&self) -> bool {
        match &self.state().way_out {
            Ok(way_out) => !way_out.holder.has_ended() && !way_out.slirp.has_ended(),
            Err(_) => false,
        }
    }

    /// What a VMM enters before it starts.
    pub fn entrance(&self) -> Arc<Entrance> {
        self.state().entrance.clone()
    }

    /// The resolver that guests are told.
    pub fn resolver(&self) -> String {
        RESOLVER.to_string()
    }

    /// Why machines have no way out, if they have none.
    pub fn warnings(&self) -> Vec<String> {
        match &self.state().way_out {
            Err(reason) => vec![format!("machines have no internet access: {reason}")],
            Ok(_) => Vec::new(),
        }
    }

    /// Makes what is missing again and keeps the filter true. Called before a machine starts; does
    /// nothing most of the time, and blocks when there is something to do.
    pub fn refresh(&self) {
        if self.directory.as_os_str().is_empty() {
            return;
        }
        let holder = match &self.state().way_out {
            Ok(way_out) if way_out.holder.has_ended() => None,
            Ok(way_out) => Some((way_out.holder.process, way_out.slirp.has_ended())),
            Err(_) => return,
        };
        match holder {
            // Machines that run keep the old namespace and have lost their way out; new ones get a new one.
            None => return self.restore(),
            Some((holder, true)) => {
                let started = self.start_slirp(holder);
                if let (Ok(way_out), Ok(slirp)) = (&mut self.state().way_out, started) {
                    way_out.slirp = slirp;
                }
            }
            Some((_, false)) => {}
        }
        let mut state = self.state();
        let entrance = state.entrance.clone();
        let Ok(way_out) = &mut state.way_out else { return };
        if way_out.looked.elapsed() < LOOK_AGAIN {
            return;
        }
        way_out.looked = Instant::now();
        let host = host_addresses();
        if host != way_out.filtered {
            match filter(&entrance, &host, &self.settings.allowed) {
                Ok(()) => way_out.filtered = host,
                Err(error) => {
                    // A filter that may be wrong is worse than no way out.
                    let reason = format!("its filter could not be brought up to date: {}", error.chain());
                    end(way_out);
                    state.way_out = Err(reason);
                }
            }
        }
    }

    /// Ends the network's processes. Machines that still run lose their way out.
    pub fn close(&self) {
        let mut state = self.state();
        if let Ok(way_out) = &state.way_out {
            end(way_out);
            // Only now is there nothing left to find.
            let _ = fs::remove_dir_all(&self.directory);
        }
        state.entrance = Arc::new(isolated());
        state.way_out = Err("the server is stopping".into());
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding the network's state")
    }

    fn restore(&self) {
        let made = self.take_up().or_else(|| match self.make() {
            Ok(made) => Some(Ok(made)),
            Err(error) => Some(Err(error.chain())),
        });
        let mut state = self.state();
        match made.expect("one of both was tried") {
            Ok((entrance, way_out)) => *state = State { entrance: Arc::new(entrance), way_out: Ok(way_out) },
            Err(reason) => *state = State { entrance: Arc::new(isolated()), way_out: Err(reason) },
        }
    }

    /// The network that an earlier server made, if all of it still works. Ends its remains otherwise.
    fn take_up(&self) -> Option<Result<(Entrance, WayOut), String>> {
        let written = fs::read_to_string(self.directory.join("boot-id")).ok()?;
        if written != boot_id().ok()? {
            return None;
        }
        let find = |name: &str| -> Option<Watched> {
            let process = parse_stat(&fs::read_to_string(self.directory.join(name)).ok()?)?;
            (running(process.pid)? == process).then(|| Watched::found(process).ok()).flatten()
        };
        let (holder, slirp) = (find("holder"), find("slirp"));
        let usable = match (&holder, &slirp) {
            (Some(holder), Some(_)) => join(holder.process).ok().and_then(|entrance| {
                let host = host_addresses();
                filter(&entrance, &host, &self.settings.allowed).ok()?;
                Some((entrance, host))
            }),
            _ => None,
        };
        match (usable, holder, slirp) {
            (Some((entrance, filtered)), Some(holder), Some(slirp)) => {
                Some(Ok((entrance, WayOut { holder, slirp, filtered, looked: Instant::now() })))
            }
            (_, holder, slirp) => {
                for watched in holder.iter().chain(&slirp) {
                    process::end(watched.process, END_WITHIN);
                }
                None
            }
        }
    }

    fn make(&self) -> Result<(Entrance, WayOut), Error> {
        for program in ["slirp4netns", "nft"] {
            if find_program(program).is_none() {
                return Err(Error::Unavailable(format!("`{program}` is not installed")));
            }
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(Error::file("make the directory", &self.directory))?;
        let path = self.directory.join("boot-id");
        fs::write(&path, boot_id()?).map_err(Error::file("write", &path))?;
        let ordinary = !nix::unistd::geteuid().is_root();
        let holder = self.start("holder", "sleep", vec!["infinity".into()], Entrance::Empty { user: ordinary }, &[])?;
        let made = (|| {
            if ordinary {
                map_user(holder.process)?;
            }
            let entrance = join(holder.process)?;
            let filtered = host_addresses();
            // Before there is any way out.
            filter(&entrance, &filtered, &self.settings.allowed)?;
            let slirp = self.start_slirp(holder.process)?;
            Ok((entrance, slirp, filtered))
        })();
        match made {
            Ok((entrance, slirp, filtered)) => {
                Ok((entrance, WayOut { holder, slirp, filtered, looked: Instant::now() }))
            }
            Err(error) => {
                process::end(holder.process, END_WITHIN);
                Err(error)
            }
        }
    }

    /// Starts slirp4netns, confined as far as this host lets it confine itself.
    fn start_slirp(&self, holder: Process) -> Result<Watched, Error> {
        let mut last = None;
        for confinement in [&["--enable-sandbox", "--enable-seccomp"][..], &["--enable-seccomp"], &[]] {
            let (mut ready, says_ready) = pipe()?;
            let mut arguments: Vec<OsString> = Vec::new();
            arguments.extend(["--configure", "--mtu=65520", "--disable-host-loopback"].map(Into::into));
            arguments.extend(confinement.iter().map(Into::into));
            arguments.push(format!("--cidr={}", rules::CIDR).into());
            arguments.push(format!("--ready-fd={}", says_ready.as_raw_fd()).into());
            arguments.extend([holder.pid.to_string().into(), rules::DEVICE.into()]);
            let slirp = self.start("slirp", "slirp4netns", arguments, Entrance::Host, &[says_ready.as_raw_fd()])?;
            drop(says_ready);
            match wait_readable(&ready, UP_WITHIN) {
                Some(true) if matches!(ready.read(&mut [0]), Ok(1)) => return Ok(slirp),
                _ => {
                    process::end(slirp.process, END_WITHIN);
                    last = Some(slirp.complaints());
                }
            }
        }
        let detail = last.unwrap_or_default();
        Err(Error::Unavailable(format!("`slirp4netns` did not come up: {detail}")))
    }

    fn start(
        &self,
        name: &str,
        program: &str,
        arguments: Vec<OsString>,
        entrance: Entrance,
        descriptors: &[i32],
    ) -> Result<Watched, Error> {
        let path = self.directory.join(name);
        let record = File::create(&path).map_err(Error::file("write", &path))?;
        let program = find_program(program).unwrap_or_else(|| program.into());
        Watched::launch(Launch {
            program: program.as_os_str(),
            arguments,
            descriptors: descriptors.to_vec(),
            record: record.as_raw_fd(),
            entrance: Arc::new(entrance),
            identity: Identity::Server,
        })
    }
}

fn end(way_out: &WayOut) {
    for watched in [&way_out.slirp, &way_out.holder] {
        process::end(watched.process, END_WITHIN);
    }
}

/// For machines without a way out; their VMMs are told to let nothing through as well. An ordinary
/// user may not be allowed to make a namespace, and then that is all there is.
fn isolated() -> Entrance {
    if nix::unistd::geteuid().is_root() { Entrance::Empty { user: false } } else { Entrance::Host }
}

/// The namespaces of a running process.
fn join(process: Process) -> Result<Entrance, Error> {
    let open = |name| -> Result<OwnedFd, Error> {
        let path = PathBuf::from(format!("/proc/{}/ns/{name}", process.pid));
        Ok(File::open(&path).map_err(Error::file("open", &path))?.into())
    };
    let user = if nix::unistd::geteuid().is_root() { None } else { Some(open("user")?) };
    Ok(Entrance::Join { user, net: open("net")? })
}

/// Makes the server's user root of the holder's user namespace.
fn map_user(process: Process) -> Result<(), Error> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    for (name, text) in
        [("setgroups", "deny".into()), ("uid_map", format!("0 {uid} 1")), ("gid_map", format!("0 {gid} 1"))]
    {
        let path = PathBuf::from(format!("/proc/{}/{name}", process.pid));
        fs::write(&path, text).map_err(Error::file("write", &path))?;
    }
    Ok(())
}

/// Loads the filter into the namespace.
fn filter(entrance: &Entrance, host: &BTreeSet<Ipv4Addr>, allowed: &[Range]) -> Result<(), Error> {
    let Entrance::Join { user, net } = entrance else { return Ok(()) };
    let copy = |fd: &OwnedFd| fd.try_clone().map_err(Error::system("copy a namespace's descriptor"));
    let inside = Entrance::Join { user: user.as_ref().map(copy).transpose()?, net: copy(net)? };
    let program = find_program("nft").unwrap_or_else(|| "nft".into());
    let spawn = |source| Error::Spawn { program: "nft".into(), source };
    let mut command = Command::new(program);
    command.args(["-f", "-"]).env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    // SAFETY: `enter` only makes system calls.
    unsafe { command.pre_exec(move || inside.enter()) };
    let mut child = command.spawn().map_err(spawn)?;
    let rules = rules::rule_set(host, allowed);
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(rules.as_bytes()));
    let output = child.wait_with_output().map_err(spawn)?;
    match (output.status.success(), written) {
        (true, Some(Ok(()))) => Ok(()),
        _ => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let first = complaint.lines().next().unwrap_or("no reason given").to_owned();
            Err(Error::Refused { doing: "filter what machines send".into(), detail: first })
        }
    }
}

/// Every IPv4 address of the host.
fn host_addresses() -> BTreeSet<Ipv4Addr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return BTreeSet::new() };
    let addresses = interfaces.filter_map(|interface| interface.address?.as_sockaddr_in().map(|address| address.ip()));
    addresses.filter(|address| !IpAddr::V4(*address).is_loopback()).collect()
}

/// Looks where system programs are, also where an ordinary user's `PATH` does not lead.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    let mut places = std::env::split_paths(&path).chain(usual);
    places.find_map(|place| Some(place.join(OsStr::new(name))).filter(|file| file.is_file()))
}

fn pipe() -> Result<(File, OwnedFd), Error> {
    let (read, write) =
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|errno| Error::system("make a pipe")(errno.into()))?;
    Ok((read.into(), write))
}

/// Waits for data or an end; `None` when the time is over.
fn wait_readable(file: &File, within: Duration) -> Option<bool> {
    let mut poll = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid entry.
    let ready = unsafe { libc::poll(&mut poll, 1, within.as_millis() as libc::c_int) };
    (ready > 0).then_some(poll.revents & libc::POLLIN != 0)
}
