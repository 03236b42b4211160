//! The artifact store on a real file system.

use super::*;
use std::os::unix::fs::{FileExt, MetadataExt};

fn store() -> (tempfile::TempDir, ArtifactStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(directory.path()).unwrap();
    (directory, store)
}

fn disk(content: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1024 * 1024 * 1024).unwrap();
    file.as_file().write_all_at(content, 70_000).unwrap();
    file
}

fn runtime(start_cmd: &str) -> RuntimeConfig {
    RuntimeConfig { start_cmd: Some(start_cmd.into()), ..RuntimeConfig::default() }
}

#[test]
fn an_artifact_is_named_by_what_it_is() {
    let (directory, store) = store();
    let one = store.add(disk(b"one").path(), runtime("serve"), Some("sha256:base".into())).unwrap();
    assert_eq!(store.add(disk(b"one").path(), runtime("serve"), Some("sha256:base".into())).unwrap(), one);
    let other_disk = store.add(disk(b"two").path(), runtime("serve"), Some("sha256:base".into())).unwrap();
    let other_runtime = store.add(disk(b"one").path(), runtime("other"), Some("sha256:base".into())).unwrap();
    let other_base = store.add(disk(b"one").path(), runtime("serve"), None).unwrap();
    assert_eq!(store.list().unwrap().len(), 4);
    assert_eq!(fs::read_dir(directory.path().join("disks")).unwrap().count(), 2, "equal disks take room once");

    let found = ArtifactStore::open(directory.path()).unwrap().get(&one.id).unwrap();
    assert_eq!(found.info, one);
    assert_eq!(found.disk_size_bytes, 1024 * 1024 * 1024);
    assert!(one.disk_bytes < 1024 * 1024, "holes stay holes: {}", one.disk_bytes);
    assert_eq!(fs::metadata(&found.disk).unwrap().mode() & 0o777, 0o444);
    for id in [&one.id, &other_disk.id, &other_runtime.id, &other_base.id] {
        store.verify(id).unwrap();
    }
}

#[test]
fn a_damaged_disk_or_manifest_is_found_out() {
    let (directory, store) = store();
    let info = store.add(disk(b"one").path(), runtime("serve"), None).unwrap();
    let artifact = store.get(&info.id).unwrap();
    fs::set_permissions(&artifact.disk, fs::Permissions::from_mode(0o644)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&artifact.disk).unwrap();
    file.write_all_at(b"x", 900_000).unwrap();
    assert!(matches!(store.verify(&info.id), Err(Error::Damaged { .. })));
    store.add(disk(b"one").path(), runtime("serve"), None).unwrap();
    store.verify(&info.id).expect("adding it again repairs it");

    file_at(&artifact.disk).set_len(10).unwrap();
    assert_eq!(store.get(&info.id), None, "a disk of another length is not it");
    let manifest = directory.path().join(format!("manifests/{}.json", info.id));
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("serve", "other")).unwrap();
    assert!(matches!(store.verify(&info.id), Err(Error::Damaged { .. })));
    let absent = ArtifactId::from_body("absent");
    assert!(matches!(store.verify(&absent), Err(Error::NotFound(id)) if id == absent));
}

fn file_at(path: &Path) -> File {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap()
}

#[test]
fn a_sweep_removes_what_is_not_kept_and_not_what_is_young() {
    let (directory, store) = store();
    let kept = store.add(disk(b"one").path(), runtime("serve"), None).unwrap();
    let shares_its_disk = store.add(disk(b"one").path(), runtime("other"), None).unwrap();
    let gone = store.add(disk(b"two").path(), runtime("serve"), None).unwrap();
    assert_eq!(store.sweep(&[]).unwrap(), [], "all are younger than the grace");
    assert_eq!(store.list().unwrap().len(), 3);

    let mut expected = vec![shares_its_disk.id.clone(), gone.id.clone()];
    expected.sort();
    assert_eq!(store.sweep_older_than(std::slice::from_ref(&kept.id), Duration::ZERO).unwrap(), expected);
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&kept.id));
    store.verify(&kept.id).unwrap();
    assert_eq!(fs::read_dir(directory.path().join("disks")).unwrap().count(), 1);
}

#[test]
fn opening_removes_what_an_interrupted_write_left() {
    let (directory, store) = store();
    store.add(disk(b"one").path(), runtime("serve"), None).unwrap();
    fs::write(directory.path().join("disks/.tmpabc"), b"half").unwrap();
    let store = ArtifactStore::open(directory.path()).unwrap();
    assert_eq!(fs::read_dir(directory.path().join("disks")).unwrap().count(), 1);
    assert_eq!(store.list().unwrap().len(), 1);
}
