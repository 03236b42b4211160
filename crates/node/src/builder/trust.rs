//! What a build with internet access needs from its host to reach package indexes: the certificates the
//! host trusts and the proxies it uses.
//!
//! Both are for the build only. The certificates lie in the machine's memory (`/run`), never on its
//! disk, and nothing of this is part of a cache key or of the artifact.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Where the files are while a build runs. In memory: no layer and no artifact holds them.
pub const DIRECTORY: &str = "/run/nullspace-build";

/// Where hosts keep the certificates they trust, by distribution.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Whole bundles are 200 to 300 KB; anything far above is not one.
const BUNDLE_MAX: u64 = 8 * 1024 * 1024;
const PROXY_NAMES: [&str; 8] =
    ["http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];

/// Why a host's bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the certificates in `{path}`", path = path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{path}` is not a bundle of certificates in PEM form", path = path.display())]
    NotBundle { path: PathBuf },
}

/// What builds take from their host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Certificates in PEM form.
    pub ca_bundle: Option<PathBuf>,
    /// By the name of the variable.
    pub proxies: BTreeMap<String, String>,
}

impl Trust {
    /// What this host itself uses.
    pub fn of_host(variable: impl Fn(&str) -> Option<String>) -> Self {
        let named = variable("SSL_CERT_FILE").map(PathBuf::from);
        let ca_bundle = named.into_iter().chain(BUNDLES.map(PathBuf::from)).find(|path| path.is_file());
        let proxies = PROXY_NAMES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), variable(name).filter(|value| !value.is_empty())?)))
            .collect();
        Self { ca_bundle, proxies }
    }

    /// The files to put into the machine, by name below [`DIRECTORY`].
    pub fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
        let Some(path) = &self.ca_bundle else { return Ok(Vec::new()) };
        let bundle = read_bundle(path)?;
        let apt = format!("Acquire::https::CAInfo \"{DIRECTORY}/ca.pem\";\n");
        Ok(vec![("ca.pem", bundle), ("apt.conf", apt.into_bytes())])
    }

    /// What the steps' programs look for. Below everything the user sets.
    pub fn envs(&self) -> BTreeMap<String, String> {
        let mut envs = self.proxies.clone();
        if self.ca_bundle.is_some() {
            let bundle = format!("{DIRECTORY}/ca.pem");
            for name in [
                "SSL_CERT_FILE",
                "PIP_CERT",
                "REQUESTS_CA_BUNDLE",
                "CURL_CA_BUNDLE",
                "NODE_EXTRA_CA_CERTS",
                "GIT_SSL_CAINFO",
                "CARGO_HTTP_CAINFO",
            ] {
                envs.insert(name.to_owned(), bundle.clone());
            }
            envs.insert("APT_CONFIG".to_owned(), format!("{DIRECTORY}/apt.conf"));
        }
        envs
    }
}

fn read_bundle(path: &Path) -> Result<Vec<u8>, Error> {
    let read_error = |source| Error::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(read_error)?.len();
    if size > BUNDLE_MAX {
        return Err(Error::NotBundle { path: path.to_owned() });
    }
    let bytes = std::fs::read(path).map_err(read_error)?;
    let marker = b"-----BEGIN CERTIFICATE-----";
    if !bytes.windows(marker.len()).any(|window| window == marker) {
        return Err(Error::NotBundle { path: path.to_owned() });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_uses_the_hosts_proxies_and_certificates_by_default() {
        let bundle = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(bundle.path(), "-----BEGIN CERTIFICATE-----\nMII=\n").unwrap();
        let path = bundle.path().display().to_string();
        let trust = Trust::of_host(|name| match name {
            "SSL_CERT_FILE" => Some(path.clone()),
            "https_proxy" => Some("http://proxy:3128".to_owned()),
            "no_proxy" => Some(String::new()),
            _ => None,
        });
        let envs = trust.envs();
        assert_eq!(envs["https_proxy"], "http://proxy:3128");
        assert!(!envs.contains_key("no_proxy"));
        assert_eq!(envs["PIP_CERT"], "/run/nullspace-build/ca.pem");
        assert_eq!(trust.files().unwrap()[0].0, "ca.pem");
    }

    #[test]
    fn a_file_that_holds_no_certificate_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello").unwrap();
        let trust = Trust { ca_bundle: Some(file.path().to_owned()), ..Trust::default() };
        assert!(matches!(trust.files(), Err(Error::NotBundle { .. })));
        assert_eq!(Trust::default().envs(), BTreeMap::new());
    }
}
