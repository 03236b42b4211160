//! Small questions to the kernel and small orders to it, each one system call.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Bytes of memory, all in all.
pub fn memory_total() -> u64 {
    memory_field("MemTotal")
}

/// One line of `/proc/meminfo`, in bytes; 0 when it is not there.
pub fn memory_field(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

/// Sets the clock.
pub fn set_clock(unix_nanos: i64) -> io::Result<()> {
    let time =
        libc::timespec { tv_sec: unix_nanos.div_euclid(1_000_000_000), tv_nsec: unix_nanos.rem_euclid(1_000_000_000) };
    // SAFETY: `time` is valid for the length of the call.
    check(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &time) })
}

/// Fills `bytes` from the kernel's generator.
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: `rest` is valid for writing its whole length.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(got) {
            Ok(got) => filled += got,
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
    Ok(())
}

/// Mixes `entropy` into the kernel's generator, credits it, and makes every generator start anew from it.
pub fn reseed(entropy: &[u8]) -> io::Result<()> {
    let random = fs::File::options().write(true).open("/dev/urandom")?;
    // As the kernel's `struct rand_pool_info`: bits, bytes, then the bytes as words.
    let mut pool: Vec<u32> = vec![
        u32::try_from(entropy.len() * 8).map_err(|_| io::ErrorKind::InvalidInput)?,
        u32::try_from(entropy.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
    ];
    for word in entropy.chunks(4) {
        let mut bytes = [0; 4];
        bytes[..word.len()].copy_from_slice(word);
        pool.push(u32::from_ne_bytes(bytes));
    }
    // SAFETY: the pool is laid out as the kernel expects it and as long as its second word says.
    check(unsafe { libc::ioctl(random.as_raw_fd(), RNDADDENTROPY as _, pool.as_ptr()) })?;
    // SAFETY: takes no argument.
    check(unsafe { libc::ioctl(random.as_raw_fd(), RNDRESEEDCRNG as _) })
}

const RNDADDENTROPY: u64 = nix::request_code_write!(b'R', 0x03, 2 * size_of::<libc::c_int>());
const RNDRESEEDCRNG: u64 = nix::request_code_none!(b'R', 0x07);
const FIFREEZE: u64 = nix::request_code_readwrite!(b'X', 119, size_of::<libc::c_int>());
const FITHAW: u64 = nix::request_code_readwrite!(b'X', 120, size_of::<libc::c_int>());
const EXT4_IOC_RESIZE_FS: u64 = nix::request_code_write!(b'f', 16, size_of::<u64>());
const BLKGETSIZE64: u64 = nix::request_code_read!(0x12, 114, size_of::<libc::size_t>());

/// Makes the file system at `path` clean and still.
pub fn freeze_file_system(path: &Path) -> io::Result<()> {
    // SAFETY: takes an argument that it does not use.
    check(unsafe { libc::ioctl(fs::File::open(path)?.as_raw_fd(), FIFREEZE as _, 0) })
}

/// Ends `freeze_file_system`.
pub fn thaw_file_system(path: &Path) -> io::Result<()> {
    // SAFETY: takes an argument that it does not use.
    check(unsafe { libc::ioctl(fs::File::open(path)?.as_raw_fd(), FITHAW as _, 0) })
}

/// Grows the mounted ext4 file system at `path` to `blocks` blocks.
pub fn resize_ext4(path: &Path, blocks: u64) -> io::Result<()> {
    // SAFETY: `blocks` is valid for the length of the call.
    check(unsafe { libc::ioctl(fs::File::open(path)?.as_raw_fd(), EXT4_IOC_RESIZE_FS as _, &blocks) })
}

/// Bytes of a block device.
pub fn device_size(device: &Path) -> io::Result<u64> {
    let mut size: u64 = 0;
    // SAFETY: `size` is valid for writing for the length of the call.
    check(unsafe { libc::ioctl(fs::File::open(device)?.as_raw_fd(), BLKGETSIZE64 as _, &mut size) })?;
    Ok(size)
}

/// Turns the return value of a system call into a result.
pub fn check(returned: libc::c_int) -> io::Result<()> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
