//! The image store with real archives, a real registry and real packages.

use super::*;
use std::process::Command;

/// A store of its own that knows no registry and no cache.
pub fn settings() -> Settings {
    Settings { bootstrap_cache: None, pull_timeout: Duration::from_secs(20), ..Settings::default() }
}

pub fn store() -> (tempfile::TempDir, ImageStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = ImageStore::open(directory.path(), settings()).unwrap();
    (directory, store)
}

pub fn quiet() -> mpsc::Sender<ImageProgress> {
    mpsc::channel(1).0
}

pub fn debugfs(disk: &Path, request: &str) -> String {
    let output = Command::new("/sbin/debugfs").args(["-R", request]).arg(disk).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn busybox_is_made_of_the_hosts_own() {
    let (directory, store) = store();
    let info = store.add("busybox", ImageSource::Bootstrap("busybox".into()), &quiet()).await.unwrap();
    assert_eq!((info.name.as_str(), info.source.as_str()), ("busybox", "bootstrap"));
    let image = store.ensure("docker.io/library/busybox:latest", None, &quiet()).await.unwrap();
    assert_eq!(image.digest, info.digest);
    assert_eq!(image.config.cmd, ["sh"]);
    let disk = store.root_disk(&image).await.unwrap();
    assert!(disk.size_bytes < 48 * 1024 * 1024, "{}", disk.size_bytes);
    assert!(debugfs(&disk.path, "stat /bin/sh").contains("Fast link dest: \"busybox\""));
    assert!(debugfs(&disk.path, "stat /bin/busybox").contains("Mode:  0755"));
    let check = Command::new("/sbin/e2fsck").arg("-fn").arg(&disk.path).output().unwrap();
    assert!(check.status.success());

    let again = ImageStore::open(directory.path(), settings()).unwrap();
    let image = again.ensure("busybox", None, &quiet()).await.unwrap();
    let made_before = fs::metadata(&disk.path).unwrap().modified().unwrap();
    assert_eq!(again.root_disk(&image).await.unwrap(), disk);
    assert_eq!(fs::metadata(&disk.path).unwrap().modified().unwrap(), made_before, "it is made once");
    assert_eq!(again.list().await.unwrap(), [info]);
}
