//! Files in and out.

use super::{TestAgent, open, text};
use nullspace_guest::client::{self, Error};
use nullspace_guest::protocol::{FailureCode, FileType};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use tokio::io::AsyncReadExt;

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> FailureCode {
    result.unwrap_err().failure().unwrap().code
}

#[tokio::test]
async fn a_file_arrives_as_it_was_sent_and_comes_back() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let path = agent.path("new/deep/file");
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let written = client::write(open(&link).await, text(&path), None, Some(0o750), &content[..]).await.unwrap();
    assert_eq!((written.size, written.mode, written.kind), (3_000_000, 0o750, FileType::File));
    assert_eq!(fs::read(&path).unwrap(), content);
    let (file, mut download) = client::read(open(&link).await, text(&path), None).await.unwrap();
    assert_eq!(file, written);
    let mut back = Vec::new();
    download.read_to_end(&mut back).await.unwrap();
    assert!(back == content);
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let path = agent.path("empty");
    client::write(open(&link).await, text(&path), None, None, &b""[..]).await.unwrap();
    let (file, mut download) = client::read(open(&link).await, text(&path), None).await.unwrap();
    assert_eq!((file.size, file.mode), (0, 0o644));
    assert_eq!(download.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn replacing_a_file_keeps_its_owner_and_mode_and_the_link_that_leads_to_it() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let (path, pointer) = (agent.path("file"), agent.path("pointer"));
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&path, Some(1234), Some(567)).unwrap();
    symlink(&path, &pointer).unwrap();
    client::write(open(&link).await, text(&pointer), None, None, &b"new"[..]).await.unwrap();
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (1234, 567, 0o600));
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert!(pointer.symlink_metadata().unwrap().is_symlink());
}

#[tokio::test]
async fn a_write_that_breaks_off_leaves_the_old_file_and_nothing_else() {
    struct Breaks;
    impl tokio::io::AsyncRead for Breaks {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()))
        }
    }
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let directory = agent.path("directory");
    fs::create_dir(&directory).unwrap();
    let path = directory.join("file");
    fs::write(&path, "old").unwrap();
    let content = AsyncReadExt::chain(&[b'x'; 100_000][..], Breaks);
    let broken = client::write(open(&link).await, text(&path), None, None, content).await.unwrap_err();
    assert!(matches!(broken, Error::Source(_)));
    super::until("the draft is gone", || fs::read_dir(&directory).unwrap().count() == 1).await;
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[tokio::test]
async fn what_a_user_may_not_do_is_refused_and_what_it_makes_is_its_own() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    fs::set_permissions(agent.directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let secret = agent.path("secret");
    fs::write(&secret, "x").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        refused(client::read(open(&link).await, text(&secret), Some("nobody")).await),
        FailureCode::PermissionDenied
    );
    assert_eq!(
        refused(client::chmod(open(&link).await, text(&secret), 0o777, Some("nobody")).await),
        FailureCode::PermissionDenied
    );
    assert_eq!(
        refused(client::write(open(&link).await, "/etc/nullspace-test", Some("nobody"), None, &b"x"[..]).await),
        FailureCode::PermissionDenied
    );
    let own = agent.path("sub/own");
    let file = client::write(open(&link).await, text(&own), Some("nobody"), None, &b"x"[..]).await.unwrap();
    assert_eq!((file.owner.as_str(), file.group.as_str()), ("nobody", "nogroup"));
    assert_eq!(fs::metadata(agent.path("sub")).unwrap().uid(), 65534);
    // The next to use the same thread is root again.
    client::read(open(&link).await, text(&secret), None).await.unwrap();
}

#[tokio::test]
async fn errors_name_what_is_wrong() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let here = agent.directory.path();
    fs::write(agent.path("file"), "x").unwrap();
    let missing = agent.path("missing");
    assert_eq!(refused(client::read(open(&link).await, text(&missing), None).await), FailureCode::NotFound);
    assert_eq!(refused(client::stat(open(&link).await, text(&missing), None).await), FailureCode::NotFound);
    assert_eq!(refused(client::remove(open(&link).await, text(&missing), None).await), FailureCode::NotFound);
    assert_eq!(refused(client::list(open(&link).await, text(&missing), 1, None).await), FailureCode::NotFound);
    assert_eq!(refused(client::read(open(&link).await, text(here), None).await), FailureCode::IsDirectory);
    assert_eq!(
        refused(client::write(open(&link).await, text(here), None, None, &b"x"[..]).await),
        FailureCode::IsDirectory
    );
    assert_eq!(refused(client::write(open(&link).await, "/", None, None, &b"x"[..]).await), FailureCode::IsDirectory);
    // The parent would have to be made where a file is.
    let below = agent.path("file/below");
    assert_eq!(
        refused(client::write(open(&link).await, text(&below), None, None, &b"x"[..]).await),
        FailureCode::AlreadyExists
    );
    assert_eq!(
        refused(client::list(open(&link).await, text(&agent.path("file")), 1, None).await),
        FailureCode::NotDirectory
    );
    assert_eq!(refused(client::read(open(&link).await, "/dev/zero", None).await), FailureCode::InvalidRequest);
    assert_eq!(
        refused(client::write(open(&link).await, "/dev/full", None, None, &b"x"[..]).await),
        FailureCode::InvalidRequest
    );
    assert_eq!(refused(client::remove(open(&link).await, "/", None).await), FailureCode::InvalidRequest);
    assert_eq!(refused(client::read(open(&link).await, "", None).await), FailureCode::InvalidRequest);
}

#[tokio::test]
async fn a_full_disk_is_told_before_everything_was_sent() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let small = agent.path("small");
    fs::create_dir(&small).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "none", text(&small)])
        .status()
        .unwrap();
    if !mounted.success() {
        return eprintln!("skipped: this user cannot mount a small disk");
    }
    let endless = tokio::io::repeat(b'x');
    let result = client::write(open(&link).await, text(&small.join("file")), None, None, endless).await;
    let left = fs::read_dir(&small).unwrap().count();
    std::process::Command::new("umount").arg(&small).status().unwrap();
    assert_eq!(refused(result), FailureCode::DiskFull);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_directory_lists_its_entries_in_order_to_the_depth_that_was_asked() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let root = agent.path("root");
    fs::create_dir_all(root.join("b/c/d")).unwrap();
    fs::write(root.join("a"), "12345").unwrap();
    fs::write(root.join("b/x"), "").unwrap();
    symlink("nowhere", root.join("link")).unwrap();
    let names = async |depth| {
        let (files, truncated) = client::list(open(&link).await, text(&root), depth, None).await.unwrap();
        assert!(!truncated);
        files.into_iter().map(|file| file.path[text(&root).len() + 1..].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(1).await, ["a", "b", "link"]);
    assert_eq!(names(2).await, ["a", "b", "b/c", "b/x", "link"]);
    assert_eq!(names(9).await, ["a", "b", "b/c", "b/c/d", "b/x", "link"]);
    let (files, _) = client::list(open(&link).await, text(&root), 1, None).await.unwrap();
    assert_eq!((files[0].size, files[0].kind), (5, FileType::File));
    assert_eq!(files[2].symlink_target.as_deref(), Some("nowhere"));
}

#[tokio::test]
async fn a_large_directory_comes_in_parts_and_a_huge_one_says_that_there_is_more() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let root = agent.path("root");
    fs::create_dir(&root).unwrap();
    for number in 0..2_000 {
        fs::write(root.join(format!("{number:05}")), "").unwrap();
    }
    let (files, truncated) = client::list(open(&link).await, text(&root), 1, None).await.unwrap();
    assert_eq!((files.len(), truncated), (2_000, false));
    for number in 2_000..10_010 {
        fs::write(root.join(format!("{number:05}")), "").unwrap();
    }
    let (files, truncated) = client::list(open(&link).await, text(&root), 1, None).await.unwrap();
    assert_eq!((files.len(), truncated), (10_000, true));
}

#[tokio::test]
async fn directories_are_made_moved_and_removed_whole() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let (from, to) = (agent.path("a/b/c"), agent.path("moved"));
    client::mkdir(open(&link).await, text(&from), None, Some(0o700)).await.unwrap();
    client::mkdir(open(&link).await, text(&from), None, None).await.unwrap();
    assert_eq!(fs::metadata(&from).unwrap().mode() & 0o7777, 0o700);
    fs::write(from.join("file"), "").unwrap();
    let moved = client::rename(open(&link).await, text(&from), text(&to), None).await.unwrap();
    assert_eq!((moved.name.as_str(), moved.kind), ("moved", FileType::Dir));
    client::chmod(open(&link).await, text(&to), 0o711, None).await.unwrap();
    assert_eq!(client::stat(open(&link).await, text(&to), None).await.unwrap().mode, 0o711);
    client::remove(open(&link).await, text(&to), None).await.unwrap();
    assert!(!to.exists());
}

#[tokio::test]
async fn a_list_of_very_long_paths_is_cut_and_says_so() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    // Paths of almost 4 KiB, each byte of which takes six in JSON.
    let mut root = agent.path("root");
    for _ in 0..14 {
        root.push("\u{1}".repeat(250));
    }
    fs::create_dir_all(&root).unwrap();
    for number in 0..1_500 {
        fs::write(root.join(format!("{}{number:04}", "\u{1}".repeat(200))), "").unwrap();
    }
    let (files, truncated) = client::list(open(&link).await, text(&root), 1, None).await.unwrap();
    assert!(truncated && files.len() < 1_500 && files.len() > 500, "{}", files.len());
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        // As a liar would write it: the builder itself refuses such names.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o640);
        header.set_uid(4711);
        header.set_gid(12);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[tokio::test]
async fn an_archive_is_unpacked_with_its_modes_and_owners() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let big = vec![b'x'; 1_000_000];
    let archive = archive(&[("one", b"1"), ("deep/er/two", &big)]);
    client::unpack(open(&link).await, text(&agent.path("dst")), None, &archive[..]).await.unwrap();
    assert_eq!(fs::read(agent.path("dst/deep/er/two")).unwrap(), big);
    let one = fs::metadata(agent.path("dst/one")).unwrap();
    assert_eq!((one.mode() & 0o7777, one.uid(), one.gid()), (0o640, 4711, 12));
    fs::set_permissions(agent.directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    client::unpack(open(&link).await, text(&agent.path("own")), Some("nobody"), &archive[..]).await.unwrap();
    assert_eq!(fs::metadata(agent.path("own/one")).unwrap().uid(), 65534);
}

#[tokio::test]
async fn an_archive_never_leaves_its_directory() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    for name in ["../escaped", "in/../../escaped"] {
        let archive = archive(&[("in/fine", b"1"), (name, b"2")]);
        let result = client::unpack(open(&link).await, text(&agent.path("dst")), None, &archive[..]).await;
        assert_eq!(refused(result), FailureCode::InvalidRequest);
        assert!(!agent.path("escaped").exists());
    }
    // Through a link inside it, neither.
    symlink(agent.directory.path(), agent.path("dst/out")).unwrap();
    let result =
        client::unpack(open(&link).await, text(&agent.path("dst")), None, &archive(&[("out/escaped", b"x")])[..]).await;
    assert!(result.is_err());
    assert!(!agent.path("escaped").exists());
}

#[tokio::test]
async fn a_cut_or_damaged_archive_is_refused() {
    let agent = TestAgent::start().await;
    let link = agent.link().await;
    let whole = archive(&[("one", &[b'x'; 5000])]);
    for bad in [&whole[..3000], &[b'j'; 4096][..]] {
        let result = client::unpack(open(&link).await, text(&agent.path("dst")), None, bad).await;
        assert!(result.unwrap_err().failure().is_some());
    }
}
