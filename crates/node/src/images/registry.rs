//! Where an image is pulled from, and one conversation with a registry about one repository.
//!
//! `oci-client` does the log-in. Documents and blobs are asked for here, because each needs a bound on its
//! size and a blob is continued where the last try ended. A conversation is made for one pull, so that
//! nobody's credentials serve anybody else's.

use super::manifest::{DOCKER_LIST, DOCKER_MANIFEST, DOCUMENT_MAX, INDEX, MANIFEST};
use super::name::ImageName;
use super::{Settings, chain, failed};
use crate::api::{ImageError, RegistryAuth};
use futures::StreamExt;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::{Reference, RegistryOperation};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, RANGE};
use reqwest::{Response, StatusCode};
use std::time::Duration;
use tokio::sync::Mutex;

/// A registry that is there answers a connection within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest silence inside an answer, after which the registry counts as hanging.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A place to ask for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub scheme: &'static str,
    /// `host` or `host:port`.
    pub host: String,
    pub repository: String,
    /// Tag or digest.
    pub version: String,
    /// Whether the caller's credentials are for it. A mirror is asked without.
    pub takes_auth: bool,
}

/// The places to ask for a name, best first.
pub fn endpoints(name: &ImageName, settings: &Settings) -> Vec<Endpoint> {
    let reference = &name.reference;
    let version = reference.digest().or(reference.tag()).unwrap_or("latest").to_owned();
    let default = !name.names_host && settings.default_registry != "docker.io";
    let (registry, repository) = if default {
        (settings.default_registry.as_str(), name.short_repository())
    } else {
        (reference.registry(), reference.repository())
    };
    let mut endpoints = Vec::new();
    if let Some(mirror) = settings.mirrors.get(registry) {
        let (scheme, rest) = match mirror.strip_prefix("http://") {
            Some(rest) => ("http", rest),
            None => ("https", mirror.strip_prefix("https://").unwrap_or(mirror)),
        };
        let (host, prefix) = rest.trim_end_matches('/').split_once('/').unwrap_or((rest.trim_end_matches('/'), ""));
        let repository = if prefix.is_empty() { repository.to_owned() } else { format!("{prefix}/{repository}") };
        endpoints.push(Endpoint { scheme, host: host.into(), repository, version: version.clone(), takes_auth: false });
    }
    let scheme = if settings.allow_http.iter().any(|host| host == registry) { "http" } else { "https" };
    // Docker's own registry is not where its name says.
    let host = if registry == "docker.io" { "index.docker.io" } else { registry };
    endpoints.push(Endpoint { scheme, host: host.into(), repository: repository.into(), version, takes_auth: true });
    endpoints
}

/// A conversation.
pub struct Session {
    endpoint: Endpoint,
    /// The name as it was given, for errors.
    name: String,
    client: reqwest::Client,
    login: oci_client::Client,
    auth: Option<RegistryAuth>,
    authorization: Mutex<Option<HeaderValue>>,
}

impl Session {
    /// Logs in, with the credentials if the place takes them.
    pub async fn open(
        endpoint: Endpoint,
        name: &str,
        auth: Option<&RegistryAuth>,
        settings: &Settings,
    ) -> Result<Self, ImageError> {
        let client = client(&endpoint, settings)?;
        let login = login(&endpoint, settings)?;
        let auth = auth.filter(|_| endpoint.takes_auth).cloned();
        let session = Self { endpoint, name: name.to_owned(), client, login, auth, authorization: Mutex::new(None) };
        session.log_in().await?;
        Ok(session)
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A manifest or index, by tag or digest.
    pub async fn document(&self, version: &str) -> Result<Vec<u8>, ImageError> {
        let accept = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].join(", ");
        let response = self.get(&format!("manifests/{version}"), Some(&accept), 0).await?;
        let mut bytes = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(part) = stream.next().await {
            bytes.extend(part.map_err(|error| self.unreachable(&error))?);
            if bytes.len() as u64 > DOCUMENT_MAX {
                return Err(self.invalid("its manifest is longer than 4 MiB"));
            }
        }
        Ok(bytes)
    }

    /// A blob from an offset on. The answer may start at the beginning all the same: its status tells.
    pub async fn blob(&self, digest: &str, from: u64) -> Result<Response, ImageError> {
        self.get(&format!("blobs/{digest}"), None, from).await
    }

    pub fn invalid(&self, detail: impl Into<String>) -> ImageError {
        ImageError::Invalid { name: self.name.clone(), detail: detail.into() }
    }

    /// What a connection that broke or never was is called.
    pub fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> ImageError {
        let hint = "; without a registry, `nullspace image import` and `nullspace image bootstrap` bring images in";
        ImageError::Failed { doing: self.pulling(), detail: format!("{}{hint}", chain(error)) }
    }

    fn pulling(&self) -> String {
        format!("pull `{}` from {}", self.name, self.endpoint.host)
    }

    async fn get(&self, path: &str, accept: Option<&str>, from: u64) -> Result<Response, ImageError> {
        let Endpoint { scheme, host, repository, .. } = &self.endpoint;
        let url = format!("{scheme}://{host}/v2/{repository}/{path}");
        for may_log_in in [true, false] {
            let mut request = self.client.get(&url);
            if let Some(accept) = accept {
                request = request.header(ACCEPT, accept);
            }
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            if let Some(authorization) = &*self.authorization.lock().await {
                request = request.header(AUTHORIZATION, authorization);
            }
            let response = request.send().await.map_err(|error| self.unreachable(&error))?;
            match response.status() {
                StatusCode::OK | StatusCode::PARTIAL_CONTENT => return Ok(response),
                // Tokens last minutes, pulls can last longer.
                StatusCode::UNAUTHORIZED if may_log_in => self.log_in().await?,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    return Err(ImageError::Unauthorized(self.name.clone()));
                }
                StatusCode::NOT_FOUND => return Err(ImageError::NotFound(self.name.clone())),
                status => {
                    return Err(ImageError::Failed {
                        doing: self.pulling(),
                        detail: format!("the registry answered {status}"),
                    });
                }
            }
        }
        Err(ImageError::Unauthorized(self.name.clone()))
    }

    async fn log_in(&self) -> Result<(), ImageError> {
        let Endpoint { host, repository, .. } = &self.endpoint;
        let reference = Reference::with_tag(host.clone(), repository.clone(), "latest".into());
        let auth = match &self.auth {
            Some(auth) => oci_client::secrets::RegistryAuth::Basic(auth.username.clone(), auth.password.clone()),
            None => oci_client::secrets::RegistryAuth::Anonymous,
        };
        let token = self.login.auth(&reference, &auth, RegistryOperation::Pull).await.map_err(|error| match error {
            OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => {
                ImageError::Unauthorized(self.name.clone())
            }
            error => self.unreachable(&error),
        })?;
        let text = match (token, &self.auth) {
            (Some(token), _) => Some(format!("Bearer {token}")),
            (None, Some(auth)) => {
                use base64::Engine as _;
                let pair = format!("{}:{}", auth.username, auth.password);
                Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
            }
            (None, None) => None,
        };
        let mut value =
            text.map(HeaderValue::try_from).transpose().map_err(|_| ImageError::Unauthorized(self.name.clone()))?;
        if let Some(value) = &mut value {
            value.set_sensitive(true);
        }
        *self.authorization.lock().await = value;
        Ok(())
    }
}

/// A client for one place: what is meant to be encrypted stays so, redirected or not.
pub fn client(endpoint: &Endpoint, settings: &Settings) -> Result<reqwest::Client, ImageError> {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = extra_ca(settings)?;
    let roots = roots.iter().map(|pem| reqwest::Certificate::from_pem(pem)).collect::<Result<Vec<_>, _>>();
    let doing = || format!("set up a connection to `{}`", endpoint.host);
    reqwest::Client::builder()
        .tls_certs_merge(roots.map_err(failed(doing()))?)
        .https_only(endpoint.scheme == "https")
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(SILENCE_MAX)
        .user_agent(concat!("nullspace/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(failed(doing()))
}

fn login(endpoint: &Endpoint, settings: &Settings) -> Result<oci_client::Client, ImageError> {
    let roots = extra_ca(settings)?.into_iter();
    let config = ClientConfig {
        protocol: if endpoint.scheme == "http" { ClientProtocol::Http } else { ClientProtocol::Https },
        extra_root_certificates: roots.map(|data| Certificate { encoding: CertificateEncoding::Pem, data }).collect(),
        connect_timeout: Some(CONNECT_TIMEOUT),
        read_timeout: Some(SILENCE_MAX),
        ..ClientConfig::default()
    };
    oci_client::Client::try_from(config).map_err(failed(format!("set up a log-in at `{}`", endpoint.host)))
}

fn extra_ca(settings: &Settings) -> Result<Vec<Vec<u8>>, ImageError> {
    let Some(path) = &settings.extra_ca else { return Ok(Vec::new()) };
    let pem = std::fs::read_to_string(path);
    Ok(certificates(&pem.map_err(failed(format!("read certificates from `{}`", path.display())))?))
}

/// Each certificate of a PEM file.
fn certificates(pem: &str) -> Vec<Vec<u8>> {
    let end = "-----END CERTIFICATE-----";
    let blocks = pem.split_inclusive(end).filter(|block| block.ends_with(end));
    blocks.filter_map(|block| Some(block.as_bytes()[block.find("-----BEGIN CERTIFICATE-----")?..].to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(name: &str, settings: &Settings) -> Vec<String> {
        let text = |endpoint: &Endpoint| {
            let Endpoint { scheme, host, repository, version, takes_auth } = endpoint;
            format!("{scheme}://{host}/{repository} {version}{}", if *takes_auth { " with auth" } else { "" })
        };
        endpoints(&ImageName::parse(name).unwrap(), settings).iter().map(text).collect()
    }

    #[test]
    fn the_mirror_is_asked_first_and_never_told_the_password() {
        let mut settings = Settings::default();
        assert_eq!(urls("busybox", &settings), ["https://index.docker.io/library/busybox latest with auth"]);
        settings.mirrors.insert("docker.io".into(), "http://mirror:5000/hub/".into());
        assert_eq!(
            urls("oven/bun:1", &settings),
            ["http://mirror:5000/hub/oven/bun 1", "https://index.docker.io/oven/bun 1 with auth"]
        );
        assert_eq!(urls("ghcr.io/a/b:2", &settings), ["https://ghcr.io/a/b 2 with auth"]);
    }

    #[test]
    fn names_without_a_host_go_to_the_default_registry() {
        let settings = Settings {
            default_registry: "registry:5000".into(),
            allow_http: vec!["registry:5000".into()],
            ..Settings::default()
        };
        assert_eq!(urls("busybox", &settings), ["http://registry:5000/busybox latest with auth"]);
        assert_eq!(urls("docker.io/busybox", &settings), ["https://index.docker.io/library/busybox latest with auth"]);
    }

    #[test]
    fn a_bundle_is_taken_apart() {
        let one = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----";
        assert_eq!(
            certificates(&format!("# first\n{one}\n\n# second\n{one}\n# end\n")),
            [one.as_bytes(), one.as_bytes()]
        );
        assert!(certificates("nothing").is_empty());
    }
}
