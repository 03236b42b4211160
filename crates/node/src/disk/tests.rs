//! Disks made of real archives, checked with `e2fsck` and read back with `debugfs` (Debian package `e2fsprogs`).

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::process::Command;

/// An archive in the making, entry by entry, as a hostile one would be written.
pub struct Archive(Vec<u8>);

impl Archive {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    fn header(&mut self, kind: u8, path: &[u8], link: &[u8], content: &[u8], edit: impl FnOnce(&mut tar::Header)) {
        let mut header = tar::Header::new_gnu();
        let old = header.as_old_mut();
        old.name[..path.len().min(100)].copy_from_slice(&path[..path.len().min(100)]);
        old.linkname[..link.len().min(100)].copy_from_slice(&link[..link.len().min(100)]);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_mode(if kind == b'5' { 0o755 } else { 0o644 });
        header.set_mtime(1_600_000_000);
        header.set_size(content.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        edit(&mut header);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    pub fn file(mut self, path: &str, content: &[u8]) -> Self {
        self.header(b'0', path.as_bytes(), b"", content, |_| {});
        self
    }

    fn owned(mut self, path: &str, mode: u32, uid: u64, gid: u64) -> Self {
        let kind = if path.ends_with('/') { b'5' } else { b'0' };
        self.header(kind, path.as_bytes(), b"", b"", |header| {
            header.set_mode(mode);
            header.set_uid(uid);
            header.set_gid(gid);
        });
        self
    }

    pub fn directory(mut self, path: &str) -> Self {
        self.header(b'5', path.as_bytes(), b"", b"", |_| {});
        self
    }

    fn symlink(mut self, path: &str, to: &str) -> Self {
        self.header(b'2', path.as_bytes(), to.as_bytes(), b"", |_| {});
        self
    }

    fn hard_link(mut self, path: &str, to: &str) -> Self {
        self.header(b'1', path.as_bytes(), to.as_bytes(), b"", |_| {});
        self
    }

    fn device(mut self, kind: u8, path: &str, major: u32, minor: u32) -> Self {
        self.header(kind, path.as_bytes(), b"", b"", |header| {
            header.set_mode(0o620);
            header.set_gid(5);
            header.set_device_major(major).unwrap();
            header.set_device_minor(minor).unwrap();
        });
        self
    }

    /// Pax records before whatever comes next.
    fn pax(mut self, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length =
                (1..).map(|digits| rest + digits).find(|length| length.to_string().len() + rest == *length).unwrap();
            body.extend(format!("{length} {key}=").as_bytes());
            body.extend(*value);
            body.push(b'\n');
        }
        self.header(b'x', b"pax", b"", &body, |_| {});
        self
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

struct Disk {
    _directory: tempfile::TempDir,
    disk: RootDisk,
}

/// Builds a disk of archives, and holds that it is clean.
fn build_disk(archives: &[Vec<u8>]) -> Result<Disk, Error> {
    build_bounded(archives, Bounds { files: 10_000, bytes: 256 * MIB })
}

fn build_bounded(archives: &[Vec<u8>], bounds: Bounds) -> Result<Disk, Error> {
    let directory = tempfile::tempdir().unwrap();
    let mut layers = Vec::new();
    for (number, archive) in archives.iter().enumerate() {
        let path = directory.path().join(format!("layer-{number}"));
        fs::write(&path, archive).unwrap();
        layers.push(Layer { path, diff_id: None });
    }
    let (file, content) = build(&layers, "seed", bounds, directory.path())?;
    let path = file.into_temp_path().keep().unwrap();
    let disk = RootDisk { path, digest: content.digest, size_bytes: content.size_bytes };
    let check = Command::new("/sbin/e2fsck").args(["-fn"]).arg(&disk.path).output().unwrap();
    assert!(
        check.status.success(),
        "{}{}",
        String::from_utf8_lossy(&check.stdout),
        String::from_utf8_lossy(&check.stderr)
    );
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), archives.len() + 1, "nothing but the layers and the disk is left: {left:?}");
    Ok(Disk { _directory: directory, disk })
}

impl Disk {
    fn debugfs(&self, request: &str) -> Vec<u8> {
        Command::new("/sbin/debugfs").args(["-R", request]).arg(&self.disk.path).output().unwrap().stdout
    }

    fn stat(&self, path: &str) -> Option<String> {
        let text = String::from_utf8(self.debugfs(&format!("stat \"{path}\""))).unwrap();
        text.contains("Inode:").then_some(text)
    }

    #[track_caller]
    fn assert_stat(&self, path: &str, words: &[&str]) {
        let text = self.stat(path).unwrap_or_else(|| panic!("`{path}` is not there"));
        let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(plain.contains(word), "`{path}` has no `{word}`: {plain}");
        }
    }

    fn read(&self, path: &str) -> Vec<u8> {
        self.debugfs(&format!("cat \"{path}\""))
    }

    fn inode(&self, path: &str) -> String {
        self.stat(path).unwrap().split_whitespace().nth(1).unwrap().to_owned()
    }
}

#[test]
fn files_keep_content_owner_mode_and_time() {
    let archive = Archive::new()
        .owned("usr/bin/", 0o755, 0, 0)
        .owned("usr/bin/passwd", 0o4755, 0, 0)
        .owned("usr/bin/wall", 0o2755, 0, 5)
        .owned("home/user/", 0o750, 1000, 1001)
        .owned("home/user/secret", 0o000, 70_000, 100_000)
        .owned("var/tmp/", 0o1777, 0, 0)
        .file("etc/motd", b"hello\n")
        .end();
    let disk = build_disk(&[archive]).unwrap();
    disk.assert_stat("/usr/bin/passwd", &["Type: regular", "Mode: 04755", "User: 0 Group: 0"]);
    disk.assert_stat("/usr/bin/wall", &["Mode: 02755", "Group: 5"]);
    disk.assert_stat("/home/user", &["Type: directory", "Mode: 0750", "User: 1000 Group: 1001"]);
    disk.assert_stat("/home/user/secret", &["Mode: 0000", "User: 70000 Group: 100000"]);
    disk.assert_stat("/var/tmp", &["Mode: 01777"]);
    disk.assert_stat("/home", &["Mode: 0755", "User: 0 Group: 0"]);
    disk.assert_stat("/etc/motd", &["mtime: 0x5f5e1000"]);
    assert_eq!(disk.read("/etc/motd"), b"hello\n");
    for (path, mode) in [("/proc", "0555"), ("/sys", "0555"), ("/dev", "0755"), ("/run", "0755"), ("/tmp", "01777")] {
        disk.assert_stat(path, &["Type: directory", &format!("Mode: {mode}")]);
    }
}

#[test]
fn no_path_leaves_the_image() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    let victim_path = victim.to_str().unwrap();
    let archive = Archive::new()
        .file("../../../../../../etc/escaped", b"1")
        .file("/etc/absolute", b"2")
        .symlink("out", outside.path().to_str().unwrap())
        .file("out/victim", b"3")
        .symlink("up", "../../../../../..")
        .file("up/etc/above", b"4")
        .hard_link("linked", &format!("..{victim_path}"))
        .end();
    let disk = build_disk(&[archive]).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert_eq!(disk.read("/etc/escaped"), b"1");
    assert_eq!(disk.read("/etc/absolute"), b"2");
    assert_eq!(disk.read(victim_path), b"3", "the link was followed inside the image");
    assert_eq!(disk.read("/etc/above"), b"4");
    assert_eq!(disk.read("/linked"), b"3");
}

#[test]
fn impossible_entries_are_refused_and_say_why() {
    let long = "n".repeat(256);
    let deep = "d/".repeat(2000);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Archive::new().hard_link("a", "absent").end(), "is a link to `absent`"),
        (Archive::new().hard_link("a", "../../etc/passwd").end(), "which is not there"),
        (Archive::new().directory("d").hard_link("a", "d").end(), "or is a directory"),
        (Archive::new().device(b'3', "dev/odd", 1, 70_000).end(), "a device"),
        (Archive::new().symlink("a", "b").symlink("b", "a").file("a/x", b"").end(), "too many symbolic links"),
        (Archive::new().pax(&[("path", long.as_bytes())]).file("x", b"").end(), "not a path"),
        (Archive::new().pax(&[("path", deep.as_bytes())]).file("x", b"").end(), "not a path"),
        (Archive::new().pax(&[("path", b"a\0b")]).file("x", b"").end(), "not a path"),
        (Archive::new().pax(&[("size", b"x")]).file("x", b"").end(), "not a number"),
        (Archive::new().pax(&[("size", b"99999")]).file("x", b"").end(), "ends inside an entry"),
        (b"this is no archive at all".repeat(100), "checksum"),
        (Archive::new().file("x", &[1; 5000]).end()[..3000].to_vec(), "ends inside an entry"),
    ];
    for (archive, expected) in cases {
        let error = build_disk(&[archive]).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error} does not say {expected}");
        assert!(error.is_bad_image());
    }
}

#[test]
fn what_is_too_much_is_refused_while_it_is_unpacked() {
    let bounds = Bounds { files: 20, bytes: MIB };
    let many = (0..30).fold(Archive::new(), |archive, number| archive.file(&format!("f{number}"), b"")).end();
    assert!(matches!(build_bounded(&[many], bounds), Err(Error::Layers(layers::Error::Refused { .. }))));
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&Archive::new().file("zeros", &vec![0; 4 * MIB as usize]).end()).unwrap();
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 10_000);
    assert!(matches!(build_bounded(&[bomb], bounds), Err(Error::Layers(layers::Error::TooLarge(_)))));
    let half = Archive::new().file("half", &vec![1; 700_000]).end();
    assert!(build_bounded(std::slice::from_ref(&half), bounds).is_ok());
    assert!(build_bounded(&[half.clone(), half], bounds).is_err(), "layers count together");
}

#[test]
fn whiteouts_remove_what_lower_layers_put_and_nothing_else() {
    let lower = Archive::new()
        .file("gone", b"")
        .file("dir/a", b"")
        .file("dir/b", b"")
        .file("opaque/old", b"")
        .file("opaque/deep/old", b"");
    let upper = Archive::new()
        .file(".wh.gone", b"")
        .file("dir/.wh.a", b"")
        .file("dir/.wh.never-was", b"")
        .file("opaque/new", b"")
        .file("opaque/deep/new", b"")
        .file("opaque/.wh..wh..opq", b"")
        .file(".wh..wh.plnk", b"");
    let disk = build_disk(&[lower.end(), upper.end()]).unwrap();
    for gone in
        ["/gone", "/dir/a", "/opaque/old", "/opaque/deep/old", "/.wh.gone", "/opaque/.wh..wh..opq", "/.wh..wh.plnk"]
    {
        assert_eq!(disk.stat(gone), None, "{gone}");
    }
    for there in ["/dir/b", "/opaque/new", "/opaque/deep/new"] {
        assert!(disk.stat(there).is_some(), "{there}");
    }
}

#[test]
fn a_name_may_change_what_it_is_from_layer_to_layer() {
    let lower = Archive::new()
        .file("was-file", b"1")
        .directory("was-dir")
        .file("was-dir/child", b"2")
        .symlink("was-link", "was-dir")
        .file("kept", b"3");
    let upper = Archive::new()
        .file("was-file/now-below", b"4")
        .file("was-dir", b"5")
        .directory("was-link")
        .owned("twice", 0o600, 1, 1)
        .owned("twice", 0o640, 2, 2)
        .hard_link("was-dir-too", "was-dir")
        .hard_link("kept-too", "kept");
    let disk = build_disk(&[lower.end(), upper.end()]).unwrap();
    assert_eq!(disk.read("/was-file/now-below"), b"4");
    assert_eq!(disk.read("/was-dir"), b"5");
    disk.assert_stat("/was-link", &["Type: directory"]);
    disk.assert_stat("/twice", &["Mode: 0640", "User: 2 Group: 2"]);
    disk.assert_stat("/kept-too", &["Links: 2"]);
    assert_eq!(disk.inode("/kept"), disk.inode("/kept-too"), "a link to a file of a lower layer is the same file");
    assert_eq!(disk.inode("/was-dir"), disk.inode("/was-dir-too"));
}

#[test]
fn links_in_a_path_lead_where_a_machine_would_go() {
    let lower = Archive::new()
        .directory("usr/lib")
        .symlink("lib", "usr/lib")
        .symlink("etc/alt", "/usr/../usr/lib/./deep")
        .symlink("dangling", "made/here");
    let upper = Archive::new().file("lib/libc.so", b"c").file("etc/alt/x", b"x").file("dangling/y", b"y");
    let disk = build_disk(&[lower.end(), upper.end()]).unwrap();
    assert_eq!(disk.read("/usr/lib/libc.so"), b"c");
    assert_eq!(disk.read("/usr/lib/deep/x"), b"x");
    assert_eq!(disk.read("/made/here/y"), b"y");
    disk.assert_stat("/lib", &["Type: symlink", "usr/lib"]);
}

#[test]
fn devices_and_pipes_are_made_without_being_root() {
    let archive = Archive::new()
        .device(b'3', "dev/null", 1, 3)
        .device(b'4', "dev/vdz", 259, 60_000)
        .device(b'6', "run/pipe", 0, 0)
        .end();
    let disk = build_disk(&[archive]).unwrap();
    disk.assert_stat("/dev/null", &["Type: character special", "Mode: 0620", "Group: 5", "(hex 01:03)"]);
    disk.assert_stat("/dev/vdz", &["Type: block special", "(hex 103:ea60)"]);
    disk.assert_stat("/run/pipe", &["Type: FIFO", "Mode: 0620", "mtime: 0x5f5e1000"]);
}

#[test]
fn attributes_survive_whatever_bytes_they_have() {
    let capability = [1, 0, 0, 2, b'\n', 0x24, 0, b'=', 0, 0, 0, 0, b'\n', 0, 0, 0, 0, 0, 0, 0];
    let records: [(&str, &[u8]); 4] = [
        ("SCHILY.xattr.security.capability", &capability),
        ("SCHILY.xattr.user.note", b"two\nlines"),
        ("SCHILY.xattr.security.selinux", b"label of another host"),
        ("path", b"bin/ping"),
    ];
    let disk = build_disk(&[Archive::new().pax(&records).file("x", b"elf").end()]).unwrap();
    let value = disk.debugfs("ea_get -V /bin/ping security.capability");
    assert_eq!(value, [&capability, b"\n".as_slice()].concat(), "debugfs ends its line");
    assert_eq!(disk.debugfs("ea_get -V /bin/ping user.note"), b"two\nlines\n");
    let listed = String::from_utf8_lossy(&disk.debugfs("ea_list /bin/ping")).into_owned();
    assert!(!listed.contains("selinux"), "{listed}");
    assert_eq!(disk.read("/bin/ping"), b"elf");
}

#[test]
fn names_may_have_any_byte_but_a_line_break() {
    let names: [&[u8]; 6] = [b"a b", b"quo\"ted", b"<12>", b"back\\slash", b"latin-\xe9", b" lead and trail "];
    let mut archive = Archive::new();
    for name in names {
        archive = archive.pax(&[("path", name)]).owned("x", 0o600, 1234, 0);
    }
    // One with a line break has to have what the copy gives it anyway.
    let ours = u64::from(nix::unistd::geteuid().as_raw());
    archive =
        archive.pax(&[("path", b"line\nbreak")]).owned("x", 0o644, ours, u64::from(nix::unistd::getegid().as_raw()));
    let disk = build_disk(&[archive.end()]).unwrap();
    let listing = disk.debugfs("ls -p /");
    for name in names {
        let wanted = [b"/100600/1234/0/".as_slice(), name, b"/"].concat();
        assert!(listing.windows(wanted.len()).any(|window| window == wanted), "{}", String::from_utf8_lossy(&listing));
    }
    assert!(listing.windows(10).any(|window| window == b"line\nbreak"));
    let long = "very-long/".repeat(30) + "name";
    let disk = build_disk(&[Archive::new().pax(&[("path", long.as_bytes())]).file("x", b"long").end()]).unwrap();
    assert_eq!(disk.read(&format!("/{long}")), b"long");
}

#[test]
fn sparse_files_of_every_kind_keep_content_and_holes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sparse");
    let file = File::create(&path).unwrap();
    use std::os::unix::fs::FileExt;
    // Twelve pieces need a second map block in the old format.
    for piece in 0..12_u64 {
        file.write_all_at(&[piece as u8 + 1; 5000], piece * 3 * MIB + 100).unwrap();
    }
    file.set_len(40 * MIB).unwrap();
    let expected = fs::read(&path).unwrap();
    for format in [
        ["--format=gnu", "--sparse-version=1.0"],
        ["--format=posix", "--sparse-version=0.0"],
        ["--format=posix", "--sparse-version=0.1"],
        ["--format=posix", "--sparse-version=1.0"],
    ] {
        let output = Command::new("tar")
            .arg("-cSf")
            .arg("-")
            .args(format)
            .arg("-C")
            .arg(directory.path())
            .arg("sparse")
            .output()
            .unwrap();
        assert!(output.status.success() && output.stdout.len() < MIB as usize, "the archive itself is sparse");
        let disk = build_disk(&[output.stdout]).unwrap();
        assert!(disk.read("/sparse") == expected, "{format:?}");
        assert!(disk.disk.size_bytes < 36 * MIB, "holes take no room");
    }
}

#[test]
fn compressed_layers_are_told_apart_by_their_bytes_and_checked() {
    let archive = Archive::new().file("hello", b"world").end();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&archive).unwrap();
    let zstd = zstd::encode_all(archive.as_slice(), 3).unwrap();
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(&archive)));
    for bytes in [gzip.finish().unwrap(), zstd, archive] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("layer");
        fs::write(&path, bytes).unwrap();
        let mut layers = [Layer { path, diff_id: Some(digest.clone()) }];
        build(&layers, "seed", Bounds::default(), directory.path()).unwrap();
        layers[0].diff_id = Some(format!("sha256:{}", "0".repeat(64)));
        let error = build(&layers, "seed", Bounds::default(), directory.path()).unwrap_err();
        assert!(error.is_bad_image() && error.to_string().contains(&digest), "{error}");
    }
}

#[test]
fn a_disk_can_grow_to_a_tebibyte_while_it_is_mounted() {
    let disk = build_disk(&[Archive::new().file("x", b"x").end()]).unwrap();
    assert!(disk.disk.size_bytes < 32 * MIB, "{}", disk.disk.size_bytes);
    let text = String::from_utf8(disk.debugfs("stats -h")).unwrap();
    let reserved =
        text.lines().find_map(|line| line.strip_prefix("Reserved GDT blocks:")).unwrap().trim().parse::<u64>().unwrap();
    // A descriptor of 64 bytes stands for 128 MiB, so a block of them for 8 GiB.
    assert!(reserved * 8 >= 1024 - 8, "{reserved}");
    assert!(text.contains("resize_inode") && text.contains("has_journal") && !text.contains("orphan_file"));
}

#[test]
fn the_estimate_of_room_holds_for_many_small_files_and_for_large_ones() {
    let small = (0..4000)
        .fold(Archive::new(), |archive, number| archive.file(&format!("d{}/some-file-{number}", number % 7), b"x"))
        .end();
    let disk = build_disk(&[small]).unwrap();
    assert!(disk.disk.size_bytes < 70 * MIB, "{}", disk.disk.size_bytes);
    let large = Archive::new().file("large", &vec![1; 64 * MIB as usize]).end();
    let disk = build_disk(&[large]).unwrap();
    assert!(disk.disk.size_bytes < 110 * MIB, "{}", disk.disk.size_bytes);
}
