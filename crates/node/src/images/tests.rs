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

/// An archive of one file, as a layer.
fn layer(path: &str, content: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn digest(bytes: &[u8]) -> String {
    BlobDigest::of(bytes).to_string()
}

/// A configuration for uncompressed layers.
fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| digest(layer)).collect();
    let config = serde_json::json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "config": {"Env": ["PATH=/bin", "GREETING=hello"], "Cmd": ["serve"], "WorkingDir": "/srv", "User": "1000"}});
    serde_json::to_vec(&config).unwrap()
}

/// An archive of files, the way `tar -c` writes them.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

/// The files of an OCI layout with one image of two layers, one gzip and one zstd.
fn oci_layout() -> Vec<(String, Vec<u8>)> {
    let (lower, upper) = (layer("etc/lower", "lower"), layer("etc/upper", "upper"));
    let config = config(&[&lower, &upper]);
    let (lower, upper) = (gzip(&lower), zstd::encode_all(upper.as_slice(), 1).unwrap());
    let descriptor =
        |kind: &str, bytes: &[u8]| serde_json::json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()});
    let manifest = serde_json::to_vec(&serde_json::json!({"schemaVersion": 2, "config": descriptor(manifest::CONFIG, &config), "layers": [
        descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &lower), descriptor("application/vnd.oci.image.layer.v1.tar+zstd", &upper)]}))
    .unwrap();
    let index = serde_json::to_vec(
        &serde_json::json!({"schemaVersion": 2, "manifests": [descriptor(manifest::MANIFEST, &manifest)]}),
    )
    .unwrap();
    let mut files: Vec<_> = [lower, upper, config, manifest]
        .into_iter()
        .map(|blob| (format!("blobs/sha256/{}", &digest(&blob)[7..]), blob))
        .collect();
    files.push(("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
    files.push(("index.json".into(), index));
    files
}

async fn import(store: &ImageStore, name: &str, path: &Path) -> Result<ImageInfo, ImageError> {
    store.add(name, ImageSource::Archive(path.to_owned()), &quiet()).await
}

#[tokio::test]
async fn an_oci_layout_is_imported_as_a_directory_and_as_an_archive() {
    let (_directory, store) = store();
    let scratch = tempfile::tempdir().unwrap();
    for (path, content) in oci_layout() {
        let path = scratch.path().join("layout").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let from_directory = import(&store, "app:dir", &scratch.path().join("layout")).await.unwrap();
    let image = store.ensure("app:dir", None, &quiet()).await.unwrap();
    assert_eq!(image.config.env["GREETING"], "hello");
    assert_eq!((image.config.workdir.as_deref(), image.config.user.as_deref()), (Some("/srv"), Some("1000")));
    let disk = store.root_disk(&image).await.unwrap();
    assert_eq!(
        (debugfs(&disk.path, "cat /etc/lower"), debugfs(&disk.path, "cat /etc/upper")),
        ("lower".into(), "upper".into())
    );

    let files = oci_layout();
    let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
    for (number, bytes) in [archive(&files), gzip(&archive(&files))].into_iter().enumerate() {
        let path = scratch.path().join(format!("layout-{number}.tar"));
        fs::write(&path, bytes).unwrap();
        let info = import(&store, &format!("app:tar-{number}"), &path).await.unwrap();
        assert_eq!(
            (info.digest, info.size_bytes, info.source),
            (from_directory.digest.clone(), from_directory.size_bytes, "import".into())
        );
    }
    assert_eq!(store.list().await.unwrap().len(), 3);
}

#[tokio::test]
async fn docker_save_is_imported_with_the_layers_it_links_to() {
    let (_directory, store) = store();
    let scratch = tempfile::tempdir().unwrap();
    let (lower, upper) = (layer("lower", "1"), layer("upper", "2"));
    let config_bytes = config(&[&lower, &upper, &lower]);
    let manifest = serde_json::json!([
        {"Config": "c.json", "RepoTags": ["team/app:2", "team/app:latest"], "Layers": ["a/layer.tar", "b/layer.tar", "c/layer.tar"]},
        {"Config": "other.json", "RepoTags": ["other:1"], "Layers": []},
    ]);
    let mut saved = tar::Builder::new(Vec::new());
    for (path, content) in [
        ("a/layer.tar", &lower),
        ("b/layer.tar", &upper),
        ("c.json", &config_bytes),
        ("manifest.json", &serde_json::to_vec(&manifest).unwrap()),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        saved.append_data(&mut header, path, content.as_slice()).unwrap();
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    saved.append_link(&mut link, "c/layer.tar", "../a/layer.tar").unwrap();
    let path = scratch.path().join("saved.tar");
    fs::write(&path, saved.into_inner().unwrap()).unwrap();

    import(&store, "docker.io/team/app", &path).await.unwrap();
    let image = store.ensure("team/app", None, &quiet()).await.unwrap();
    let disk = store.root_disk(&image).await.unwrap();
    assert_eq!(debugfs(&disk.path, "cat /upper"), "2");
    let error = import(&store, "nobody", &path).await.unwrap_err().to_string();
    assert!(error.contains("2 images (team/app:2, team/app:latest, other:1) and none is called `nobody`"), "{error}");
}

#[tokio::test]
async fn an_archive_that_is_damaged_or_lies_is_refused_and_leaves_nothing() {
    let (directory, store) = store();
    let scratch = tempfile::tempdir().unwrap();
    let files = oci_layout();
    let whole: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
    let mut lying = whole.clone();
    lying[0].1 = b"something else";
    let mut missing = whole.clone();
    missing.remove(1);
    let nothing = [("readme", b"hello".as_slice())];
    let cases: [(Vec<u8>, &str); 5] = [
        (archive(&lying), "holds sha256:"),
        (archive(&missing), "is missing"),
        (archive(&nothing), "neither `index.json`"),
        (archive(&whole)[..2000].to_vec(), "ends"),
        (b"no archive".to_vec(), "ends inside an entry"),
    ];
    for (bytes, expected) in cases {
        let path = scratch.path().join("archive.tar");
        fs::write(&path, bytes).unwrap();
        let error = import(&store, "app", &path).await.unwrap_err();
        assert!(
            matches!(error, ImageError::Invalid { .. }) && error.to_string().contains(expected),
            "{error} does not say {expected}"
        );
    }
    assert!(
        import(&store, "app", Path::new("/nowhere")).await.unwrap_err().to_string().contains("cannot open `/nowhere`")
    );
    assert_eq!(store.list().await.unwrap(), []);
    assert_eq!(fs::read_dir(directory.path().join("blobs")).unwrap().count(), 0);
}

#[tokio::test]
async fn removing_a_name_removes_what_no_other_name_needs() {
    let (directory, store) = store();
    let blobs = || fs::read_dir(directory.path().join("blobs")).unwrap().count();
    let disks = || fs::read_dir(directory.path().join("disks")).unwrap().count();
    let info = store.add("one", ImageSource::Bootstrap("busybox".into()), &quiet()).await.unwrap();
    let same = store.add("two", ImageSource::Bootstrap("busybox".into()), &quiet()).await.unwrap();
    assert_eq!((info.digest, blobs()), (same.digest, 3), "a manifest, a configuration and a layer, once");
    store.root_disk(&store.ensure("one", None, &quiet()).await.unwrap()).await.unwrap();
    store.remove("docker.io/library/one").await.unwrap();
    assert_eq!((blobs(), disks()), (3, 2));
    assert!(matches!(store.remove("one").await, Err(ImageError::NotFound(_))));
    store.remove("two").await.unwrap();
    assert_eq!((blobs(), disks()), (0, 0));
}

#[tokio::test]
async fn an_unknown_recipe_says_which_there_are() {
    let (_directory, store) = store();
    let error = store.add("x", ImageSource::Bootstrap("python:3.12".into()), &quiet()).await.unwrap_err().to_string();
    assert!(error.contains("busybox, debian:bullseye, python:3.9, debian:bookworm, python:3.11"), "{error}");
}

/// Needs the Debian package `debootstrap`.
#[test]
fn a_bootstrap_ends_with_the_runtime_it_runs_in() {
    if disk::tools::DEBOOTSTRAP.find().is_none() {
        println!("skipped: the Debian package `debootstrap` is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mirror = format!("http://{}/debian", silent.local_addr().unwrap());
    let store = ImageStore::open(directory.path(), Settings { debian_mirror: Some(mirror), ..settings() }).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let quiet = quiet();
    let adding = runtime
        .spawn(async move { store.add("debian", ImageSource::Bootstrap("debian:bookworm".into()), &quiet).await });
    let asked = silent.accept().unwrap(); // By the downloader, who will never be answered.
    drop(runtime);
    assert!(adding.is_finished(), "dropping the runtime waited for the end of the work");
    drop(asked);
    assert_eq!(fs::read_dir(directory.path().join("work")).unwrap().count(), 0, "nothing of it is left");
    let left = Command::new("pgrep").args(["-f", directory.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "no process of it is left");
}
