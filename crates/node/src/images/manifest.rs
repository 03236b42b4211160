//! What is inside an image: its manifest, its configuration, and how one platform is chosen of many.

use super::ImageDefaults;
use super::blobs::BlobDigest;
use crate::api::ImageError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Manifests and configurations are a few KiB; Docker's registry draws the same line.
pub const DOCUMENT_MAX: u64 = 4 * 1024 * 1024;
/// Overlay file systems take 128, some builders make a few more.
const LAYERS_MAX: usize = 500;

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A manifest or an index: the two are told apart by what they have.
#[derive(Debug, Deserialize)]
struct Document {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Platform {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub config: Blob,
    /// Lowest first.
    pub layers: Vec<Blob>,
}

/// A blob that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub digest: BlobDigest,
    pub size: u64,
}

/// What bytes that should be a manifest are.
#[derive(Debug)]
pub enum Parsed {
    Image(Manifest),
    /// The manifest of our platform is another document.
    Index {
        ours: Blob,
    },
}

/// Reads a manifest, or the entry for this platform out of an index.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Parsed, ImageError> {
    let invalid = |detail: String| ImageError::Invalid { name: name.into(), detail };
    let document: Document =
        serde_json::from_slice(bytes).map_err(|error| invalid(format!("its manifest: {error}")))?;
    let blob = |descriptor: &Descriptor| {
        let digest = BlobDigest::parse(&descriptor.digest);
        let digest = digest.ok_or_else(|| invalid(format!("`{}` is not a SHA-256 digest", descriptor.digest)))?;
        Ok(Blob { digest, size: descriptor.size })
    };
    let Some(config) = &document.config else {
        return Ok(Parsed::Index {
            ours: blob(choose(&document.manifests).ok_or_else(|| invalid(not_ours(&document.manifests)))?)?,
        });
    };
    if document.layers.len() > LAYERS_MAX {
        return Err(invalid(format!("{} layers, more than {LAYERS_MAX}", document.layers.len())));
    }
    let encrypted = document.layers.iter().find(|layer| layer.media_type.ends_with("+encrypted"));
    if let Some(layer) = encrypted {
        return Err(invalid(format!("layer {} is encrypted", layer.digest)));
    }
    let layers = document.layers.iter().map(blob).collect::<Result<_, _>>()?;
    Ok(Parsed::Image(Manifest { config: blob(config)?, layers }))
}

/// The entry for linux/amd64. One without a platform is taken if it is the only one.
fn choose(entries: &[Descriptor]) -> Option<&Descriptor> {
    let ours =
        |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|on| on.os == "linux" && on.architecture == "amd64");
    entries.iter().find(ours).or(match entries {
        [only] if only.platform.is_none() => Some(only),
        _ => None,
    })
}

fn not_ours(entries: &[Descriptor]) -> String {
    let have: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.platform.as_ref())
        .map(|on| format!("{}/{}", on.os, on.architecture))
        .collect();
    format!(
        "it is not made for linux/amd64 (but for {})",
        if have.is_empty() { "nothing that it names".into() } else { have.join(", ") }
    )
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigFile {
    pub architecture: String,
    pub os: String,
    pub config: ConfigBody,
    pub rootfs: RootFs,
}

/// Fields as image configurations have them; any of them may be `null`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ConfigBody {
    pub env: Option<Vec<String>>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
    pub labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RootFs {
    #[serde(rename = "type")]
    pub kind: String,
    pub diff_ids: Vec<String>,
}

/// Reads a configuration.
pub fn parse_config(name: &str, bytes: &[u8]) -> Result<ConfigFile, ImageError> {
    let invalid = |detail: String| ImageError::Invalid { name: name.into(), detail };
    let file: ConfigFile =
        serde_json::from_slice(bytes).map_err(|error| invalid(format!("its configuration: {error}")))?;
    if !file.architecture.is_empty() && (file.architecture != "amd64" || file.os != "linux") {
        return Err(invalid(format!("it is made for {}/{}, not for linux/amd64", file.os, file.architecture)));
    }
    Ok(file)
}

impl ConfigFile {
    pub fn defaults(&self) -> ImageDefaults {
        let config = &self.config;
        let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let pair = |line: &String| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        ImageDefaults {
            env: config.env.iter().flatten().filter_map(pair).collect(),
            user: text(&config.user),
            workdir: text(&config.working_dir),
            entrypoint: config.entrypoint.clone().unwrap_or_default(),
            cmd: config.cmd.clone().unwrap_or_default(),
            exposed_ports: config.exposed_ports.iter().flatten().map(|(port, _)| port.clone()).collect(),
            labels: config.labels.clone().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn index(platforms: &[(&str, &str)]) -> Vec<u8> {
        let entries: Vec<_> = platforms
            .iter()
            .map(|(os, architecture)| serde_json::json!({"mediaType": MANIFEST, "digest": DIGEST, "size": 1, "platform": {"os": os, "architecture": architecture}}))
            .collect();
        serde_json::to_vec(&serde_json::json!({"schemaVersion": 2, "manifests": entries})).unwrap()
    }

    #[test]
    fn of_many_platforms_ours_is_chosen_and_no_other() {
        assert!(matches!(
            parse("x", &index(&[("unknown", "unknown"), ("linux", "arm64"), ("linux", "amd64")])),
            Ok(Parsed::Index { .. })
        ));
        let error = parse("x", &index(&[("linux", "arm64"), ("windows", "amd64")])).unwrap_err().to_string();
        assert_eq!(error, "`x` is not an image: it is not made for linux/amd64 (but for linux/arm64, windows/amd64)");
        assert!(parse_config("x", br#"{"architecture":"arm64","os":"linux"}"#).is_err());
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"config":{"mediaType":"","digest":"sha256:12","size":1}}"#,
            r#"{"config":{"mediaType":"","digest":"md5:12","size":-1}}"#,
        ] {
            assert!(matches!(parse("x", bad.as_bytes()), Err(ImageError::Invalid { .. })), "{bad}");
        }
    }

    #[test]
    fn a_configuration_may_leave_anything_out_or_null() {
        let text = r#"{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin","EMPTY=","A=b=c"],"User":"","Cmd":null,
            "Entrypoint":["/init"],"WorkingDir":"/app","ExposedPorts":{"8000/tcp":{}},"Labels":{"a":"b"}},"rootfs":{"type":"layers","diff_ids":[]},"history":[]}"#;
        let defaults = parse_config("x", text.as_bytes()).unwrap().defaults();
        assert_eq!(
            defaults.env,
            BTreeMap::from([
                ("PATH".into(), "/bin".into()),
                ("EMPTY".into(), String::new()),
                ("A".into(), "b=c".into())
            ])
        );
        assert_eq!((defaults.user, defaults.workdir.as_deref(), defaults.cmd.len()), (None, Some("/app"), 0));
        assert_eq!((defaults.entrypoint, defaults.exposed_ports), (vec!["/init".into()], vec!["8000/tcp".into()]));
        assert_eq!(parse_config("x", b"{}").unwrap().defaults(), ImageDefaults::default());
    }
}
