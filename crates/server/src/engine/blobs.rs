//! Context files on their way into a build: kept by content, per tenant.
//!
//! A blob's id says what it must be: `blob_{sha256}_{size}`. A tenant has a directory of its own, so
//! that nobody learns what another has, nor builds from it.

use super::{Caller, Engine, Error};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use nullspace_domain::TenantId;
use nullspace_node::api::FailurePhase;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// A file a client is about to send.
#[derive(Debug, Clone)]
pub struct BlobFile {
    pub path: String,
    pub sha256: String,
    pub size_bytes: u64,
    /// Send it again even if the bytes are here.
    pub force_upload: bool,
}

/// What to do about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobCheck {
    pub path: String,
    /// Where to put it; letters, digits and `_`.
    pub blob_id: String,
    pub missing: bool,
}

/// Largest file of a context: it is unpacked into a root disk of a few GB.
pub const BLOB_BYTES_MAX: u64 = 2 << 30;

/// How long uploaded files are kept after their last upload.
const BLOBS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a blob must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BlobId {
    pub sha256: String,
    pub size_bytes: u64,
}

impl BlobId {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (sha256, size) = text.strip_prefix("blob_")?.split_once('_')?;
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_digest.then_some(())?;
        Some(Self { sha256: sha256.to_owned(), size_bytes: size.parse().ok()? })
    }
}

impl std::fmt::Display for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "blob_{}_{}", self.sha256, self.size_bytes)
    }
}

impl Engine {
    /// One answer per file, in the order asked.
    pub async fn preflight_blobs(&self, caller: &Caller, files: Vec<BlobFile>) -> Result<Vec<BlobCheck>, Error> {
        let mut checks = Vec::with_capacity(files.len());
        for (index, file) in files.into_iter().enumerate() {
            let id = format!("blob_{}_{}", file.sha256, file.size_bytes);
            let Some(id) = BlobId::parse(&id) else {
                let field = format!("files[{index}].sha256");
                return Err(Error::invalid(
                    field.clone(),
                    format!("`{field}` must be 64 lower-case hexadecimal digits"),
                ));
            };
            if id.size_bytes > BLOB_BYTES_MAX {
                return Err(Error::BodyTooLarge { limit_bytes: BLOB_BYTES_MAX });
            }
            let missing = file.force_upload || !self.has_blob(&caller.tenant, &id).await;
            checks.push(BlobCheck { path: file.path, blob_id: id.to_string(), missing });
        }
        Ok(checks)
    }

    /// Kept only if length and digest are what the id says.
    pub async fn put_blob<S>(&self, caller: &Caller, blob_id: &str, mut body: S) -> Result<(), Error>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
    {
        let id = BlobId::parse(blob_id).ok_or_else(|| {
            upload_error(format!("blob `{}` was not announced", shown(blob_id)), FailurePhase::BlobUpload)
        })?;
        if id.size_bytes > BLOB_BYTES_MAX {
            return Err(Error::BodyTooLarge { limit_bytes: BLOB_BYTES_MAX });
        }
        let failed = |source: std::io::Error| Error::internal("keep an uploaded file", source);
        let path = self.blob_path(&caller.tenant, &id);
        let directory = path.parent().expect("a blob is in its tenant's directory").to_owned();
        tokio::fs::create_dir_all(&directory).await.map_err(failed)?;
        let partial = Partial(directory.join(format!("partial-{}", self.inner.entropy.body())));
        let mut file = tokio::fs::File::create(&partial.0).await.map_err(failed)?;
        let mut digest = Sha256::new();
        let mut size = 0u64;
        while let Some(piece) = body.next().await {
            let piece = piece
                .map_err(|error| upload_error(format!("the upload ended early: {error}"), FailurePhase::BlobUpload))?;
            size += piece.len() as u64;
            if size > id.size_bytes {
                let message = format!("more than the announced {} bytes were sent", id.size_bytes);
                return Err(upload_error(message, FailurePhase::BlobUpload));
            }
            digest.update(&piece);
            file.write_all(&piece).await.map_err(failed)?;
        }
        if size != id.size_bytes {
            let message = format!("{size} bytes were sent and {} announced", id.size_bytes);
            return Err(upload_error(message, FailurePhase::BlobUpload));
        }
        if hex::encode(digest.finalize()) != id.sha256 {
            let message = "the bytes that were sent do not have the announced SHA-256".to_owned();
            return Err(upload_error(message, FailurePhase::BlobUpload));
        }
        file.sync_all().await.map_err(failed)?;
        tokio::fs::rename(&partial.0, &path).await.map_err(failed)
    }

    /// Keeps bytes that came with a request.
    pub(super) async fn keep_inline(&self, caller: &Caller, bytes: Vec<u8>) -> Result<BlobId, Error> {
        let id = BlobId { sha256: hex::encode(Sha256::digest(&bytes)), size_bytes: bytes.len() as u64 };
        if !self.has_blob(&caller.tenant, &id).await {
            let body = futures::stream::iter([Ok(Bytes::from(bytes))]);
            self.put_blob(caller, &id.to_string(), body).await?;
        }
        Ok(id)
    }

    /// Removes files that nobody has asked about for long. A build holds its own while it runs, and a
    /// retry of one so old has to bring them again.
    pub(crate) async fn sweep_blobs(&self) -> Result<(), Error> {
        let directory = self.inner.config.data_dir.join("blobs");
        let sweep = tokio::task::spawn_blocking(move || remove_old(&directory, BLOBS_KEPT));
        let swept = sweep.await.map_err(|error| Error::internal("sweep uploaded files", error))?;
        swept.map_err(|error| Error::internal("sweep uploaded files", error))
    }

    pub(super) async fn has_blob(&self, tenant: &TenantId, id: &BlobId) -> bool {
        let found = tokio::fs::metadata(self.blob_path(tenant, id)).await;
        found.is_ok_and(|found| found.len() == id.size_bytes)
    }

    pub(super) fn blob_path(&self, tenant: &TenantId, id: &BlobId) -> PathBuf {
        self.inner.config.data_dir.join("blobs").join(tenant.as_str()).join(id.to_string())
    }
}

/// A file that disappears unless it was renamed.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Not there after the rename.
        let _ = std::fs::remove_file(&self.0);
    }
}

pub(super) fn upload_error(message: String, phase: FailurePhase) -> Error {
    Error::FileUpload { message, phase }
}

fn remove_old(blobs: &Path, kept: Duration) -> std::io::Result<()> {
    let tenants = match std::fs::read_dir(blobs) {
        Ok(tenants) => tenants,
        // Nothing was ever uploaded.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for tenant in tenants {
        for file in std::fs::read_dir(tenant?.path())? {
            let file = file?;
            let is_old = file.metadata()?.modified()?.elapsed().is_ok_and(|age| age > kept);
            if is_old {
                std::fs::remove_file(file.path())?;
            }
        }
    }
    Ok(())
}

fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}
