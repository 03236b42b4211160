//! Pulls from a real registry (Debian package `docker-registry`, and `apache2-utils` for its passwords), and
//! from servers that lie, break off and hang.

use super::tests::{debugfs, quiet, settings};
use super::*;
use crate::disk::tools::Tool;
use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::secrets::RegistryAuth as Login;
use std::process::{Child, Stdio};
use std::sync::atomic::AtomicUsize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const REGISTRY: Tool = Tool { program: "docker-registry", package: "docker-registry" };
const HTPASSWD: Tool = Tool { program: "htpasswd", package: "apache2-utils" };

struct Registry {
    child: Child,
    host: String,
    _directory: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing, with a word why, where the registry is not installed.
async fn registry(password: Option<&str>) -> Option<Registry> {
    let directory = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut config = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}/data\nhttp:\n  addr: 127.0.0.1:{port}\nlog:\n  level: error\n",
        directory.path().display()
    );
    if let Some(password) = password {
        let Ok(mut htpasswd) = HTPASSWD.command() else {
            println!("skipped: the Debian package `apache2-utils` is not installed");
            return None;
        };
        let file = directory.path().join("htpasswd");
        fs::write(&file, htpasswd.args(["-Bbn", "user", password]).output().unwrap().stdout).unwrap();
        config.push_str(&format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", file.display()));
    }
    let path = directory.path().join("config.yml");
    fs::write(&path, config).unwrap();
    let Ok(mut command) = REGISTRY.command() else {
        println!("skipped: the Debian package `docker-registry` is not installed");
        return None;
    };
    let child = command.arg("serve").arg(path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let host = format!("127.0.0.1:{port}");
    let registry = Registry { child, host: host.clone(), _directory: directory };
    let answers = async {
        while TcpStream::connect(&host).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), answers).await.expect("the registry starts");
    Some(registry)
}

async fn push(host: &str, repository: &str, content: &str, login: Login) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, "content", content.as_bytes()).unwrap();
    let layer = archive.into_inner().unwrap();
    let config = serde_json::json!({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]},
        "rootfs": {"type": "layers", "diff_ids": [BlobDigest::of(&layer).to_string()]}});
    let config = Config::oci_v1(serde_json::to_vec(&config).unwrap(), None);
    let client = oci_client::Client::new(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() });
    let reference = format!("{host}/{repository}").parse().unwrap();
    client.push(&reference, &[ImageLayer::oci_v1(layer, None)], config, &login, None).await.unwrap();
}

fn store_that_knows(host: &str) -> (tempfile::TempDir, ImageStore) {
    let directory = tempfile::tempdir().unwrap();
    let store =
        ImageStore::open(directory.path(), Settings { allow_http: vec![host.to_owned()], ..settings() }).unwrap();
    (directory, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_pulled_once_and_then_local() {
    let Some(registry) = registry(None).await else { return };
    push(&registry.host, "team/app:1", &"hello".repeat(100_000), Login::Anonymous).await;
    let (directory, store) = store_that_knows(&registry.host);
    let name = format!("{}/team/app:1", registry.host);
    let (sender, mut progress) = mpsc::channel(1000);
    let quiet = quiet();
    let (one, two) = tokio::join!(store.ensure(&name, None, &sender), store.ensure(&name, None, &sender));
    assert_eq!(one.unwrap(), two.unwrap());
    drop(sender);
    let mut last = None;
    while let Some(event) = progress.recv().await {
        last = event.total_bytes.map(|total| (event.done_bytes, total)).or(last);
    }
    assert!(last.is_some_and(|(done, total)| done == Some(total) && total > 500_000), "{last:?}");
    let missing = store.ensure(&format!("{}/team/none:1", registry.host), None, &quiet).await.unwrap_err();
    assert!(
        matches!(missing, ImageError::NotFound(_)) && missing.to_string().contains("nullspace image import"),
        "{missing}"
    );
    drop(registry);
    let image = store.ensure(&name, None, &quiet).await.expect("no registry is needed any more");
    let disk = store.root_disk(&image).await.unwrap();
    assert_eq!(debugfs(&disk.path, "cat /content").len(), 500_000);
    assert_eq!(fs::read_dir(directory.path().join("partial")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_and_a_default_registry_serve_short_names() {
    let Some(registry) = registry(None).await else { return };
    push(&registry.host, "hub/library/tool:latest", "mirrored", Login::Anonymous).await;
    push(&registry.host, "tool:latest", "default", Login::Anonymous).await;
    let directory = tempfile::tempdir().unwrap();
    let mirrors = BTreeMap::from([("docker.io".into(), format!("http://{}/hub", registry.host))]);
    let store = ImageStore::open(&directory.path().join("a"), Settings { mirrors, ..settings() }).unwrap();
    let image = store.ensure("tool", None, &quiet()).await.unwrap();
    assert_eq!(debugfs(&store.root_disk(&image).await.unwrap().path, "cat /content"), "mirrored");
    let settings =
        Settings { default_registry: registry.host.clone(), allow_http: vec![registry.host.clone()], ..settings() };
    let store = ImageStore::open(&directory.path().join("b"), settings).unwrap();
    let image = store.ensure("tool", None, &quiet()).await.unwrap();
    assert_eq!(debugfs(&store.root_disk(&image).await.unwrap().path, "cat /content"), "default");
    assert_eq!(store.list().await.unwrap()[0].name, "tool");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_password_opens_a_closed_registry() {
    let Some(registry) = registry(Some("right")).await else { return };
    push(&registry.host, "app:1", "secret", Login::Basic("user".into(), "right".into())).await;
    let (_directory, store) = store_that_knows(&registry.host);
    let name = format!("{}/app:1", registry.host);
    let auth = |password: &str| RegistryAuth { username: "user".into(), password: password.into() };
    for wrong in [None, Some(auth("wrong"))] {
        let error = store.ensure(&name, wrong.as_ref(), &quiet()).await.unwrap_err();
        assert!(matches!(error, ImageError::Unauthorized(_)), "{error}");
        assert!(!error.to_string().contains("wrong"));
    }
    store.ensure(&name, Some(&auth("right")), &quiet()).await.unwrap();
}

/// A server that answers `GET PATH` from a function; its answers may be anything.
async fn server(answer: impl Fn(&str, Option<u64>) -> Vec<u8> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => request.push(byte),
                        Err(_) => return,
                    }
                }
                let request = String::from_utf8_lossy(&request).to_lowercase();
                let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
                let from = request.split("range: bytes=").nth(1).and_then(|rest| rest.split('-').next()?.parse().ok());
                let _ = stream.write_all(&answer(&path, from)).await;
            });
        }
    });
    host
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n", body.len())
            .into_bytes();
    bytes.extend(body);
    bytes
}

/// Manifest, configuration and a layer of 300 000 bytes that does not compress.
fn image() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(300_000);
    let content: Vec<u8> = (0..300_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    archive.append_data(&mut header, "content", content.as_slice()).unwrap();
    let layer = archive.into_inner().unwrap();
    let config = serde_json::to_vec(&serde_json::json!({"architecture": "amd64", "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [BlobDigest::of(&layer).to_string()]}}))
    .unwrap();
    let entry = |bytes: &[u8]| serde_json::json!({"mediaType": "x", "digest": BlobDigest::of(bytes).to_string(), "size": bytes.len()});
    let manifest = serde_json::to_vec(
        &serde_json::json!({"schemaVersion": 2, "config": entry(&config), "layers": [entry(&layer)]}),
    )
    .unwrap();
    (manifest, config, layer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_breaks_off_goes_on_where_it_was() {
    let (manifest, config, layer) = image();
    let asked = Arc::new(AtomicUsize::new(0));
    let sent = Arc::new(AtomicUsize::new(0));
    let host = server({
        let (asked, sent) = (asked.clone(), sent.clone());
        let layer_path = BlobDigest::of(&layer).to_string();
        move |path, from| {
            if path.contains("/manifests/") {
                return response("200 OK", "", &manifest);
            }
            if !path.ends_with(&layer_path) {
                return response(if path.contains("/blobs/") { "200 OK" } else { "404 Not Found" }, "", &config);
            }
            let number = asked.fetch_add(1, Ordering::SeqCst);
            let from = from.unwrap_or(0) as usize;
            let (status, headers) = if from > 0 {
                ("206 Partial Content", format!("content-range: bytes {from}-/{}\r\n", layer.len()))
            } else {
                ("200 OK", String::new())
            };
            let mut bytes = response(status, &headers, &layer[from..]);
            let rest = layer.len() - from;
            if number < 3 {
                bytes.truncate(bytes.len() - rest + 100_000.min(rest)); // And the connection ends.
            }
            sent.fetch_add(100_000.min(rest), Ordering::SeqCst);
            bytes
        }
    })
    .await;
    let (_directory, store) = store_that_knows(&host);
    store.ensure(&format!("{host}/app:1"), None, &quiet()).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert!(sent.load(Ordering::SeqCst) < 310_000, "nothing was sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_lies_is_found_out() {
    let (manifest, config, layer) = image();
    let other_layer = vec![7; layer.len()];
    let longer = [layer.clone(), vec![0; 512]].concat();
    let wrong_digest = format!("sha256:{}", "1".repeat(64));
    let cases: [(&str, &[u8], &str); 3] = [
        ("1", &other_layer, "the registry sent sha256:"),
        ("1", &longer, "longer than the manifest says"),
        (&wrong_digest, &layer, "another manifest"),
    ];
    for (version, layer_sent, expected) in cases {
        let host = server({
            let (manifest, config, layer, layer_sent) =
                (manifest.clone(), config.clone(), layer.clone(), layer_sent.to_vec());
            move |path, _| match path {
                path if path.contains("/manifests/") => response("200 OK", "", &manifest),
                path if path.ends_with(&BlobDigest::of(&layer).to_string()) => response("200 OK", "", &layer_sent),
                path if path.contains("/blobs/") => response("200 OK", "", &config),
                _ => response("200 OK", "", b"{}"),
            }
        })
        .await;
        let (directory, store) = store_that_knows(&host);
        let separator = if version.contains(':') { '@' } else { ':' };
        let error = store.ensure(&format!("{host}/app{separator}{version}"), None, &quiet()).await.unwrap_err();
        assert!(
            matches!(error, ImageError::Invalid { .. }) && error.to_string().contains(expected),
            "{error} does not say {expected}"
        );
        assert_eq!(fs::read_dir(directory.path().join("blobs")).unwrap().count(), 0, "nothing of it is kept");
        assert!(!directory.path().join("partial").join(BlobDigest::of(&layer).hex()).exists(), "nor continued");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_without_end_and_an_image_without_measure_are_refused() {
    let host = server(|path, _| {
        if path.contains("/manifests/") {
            response("200 OK", "", &vec![b' '; 5 * 1024 * 1024])
        } else {
            response("200 OK", "", b"{}")
        }
    })
    .await;
    let (_directory, store) = store_that_knows(&host);
    let error = store.ensure(&format!("{host}/app:1"), None, &quiet()).await.unwrap_err().to_string();
    assert!(error.contains("longer than 4 MiB"), "{error}");
    let manifest = r#"{"config":{"mediaType":"","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","size":99999999999999},"layers":[]}"#;
    let host = server(move |_, _| response("200 OK", "", manifest.as_bytes())).await;
    let (_directory, store) = store_that_knows(&host);
    let error = store.ensure(&format!("{host}/app:1"), None, &quiet()).await.unwrap_err().to_string();
    assert!(error.contains("larger than 64 GiB"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_hangs_or_is_not_there_takes_bounded_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = listener.local_addr().unwrap().to_string();
    let directory = tempfile::tempdir().unwrap();
    let settings =
        Settings { allow_http: vec![hanging.clone()], pull_timeout: Duration::from_millis(300), ..settings() };
    let store = ImageStore::open(directory.path(), settings).unwrap();
    let error = store.ensure(&format!("{hanging}/app:1"), None, &quiet()).await.unwrap_err().to_string();
    assert!(error.contains("it took longer than"), "{error}");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_directory, store) = store_that_knows(&gone.to_string());
    let error = store.ensure(&format!("{gone}/app:1"), None, &quiet()).await.unwrap_err();
    assert!(matches!(error, ImageError::Failed { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&format!("cannot pull `{gone}/app:1` from {gone}")) && text.contains("nullspace image bootstrap"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_is_told_what_is_here_and_who_answers() {
    let host = server(|_, _| response("401 Unauthorized", "", b"")).await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mirrors = BTreeMap::from([(gone.clone(), format!("http://{host}"))]);
    let settings = Settings { default_registry: gone.clone(), allow_http: vec![gone.clone()], mirrors, ..settings() };
    let found = probe::probe(&settings).await;
    let registries: Vec<_> =
        found.registries.iter().map(|registry| (&registry.host, registry.hindrance.is_none())).collect();
    assert_eq!(registries, [(&host, true), (&gone, false)]);
    assert!(found.tools.iter().filter(|tool| tool.is_required).all(|tool| tool.path.is_some()), "{found:?}");
    assert_eq!(found.bootstrap_hindrance, None, "the tests run as root, or with user namespaces");
}
