//! Pulls an image: its manifest, then its blobs, a few at a time, each continued where it was left.

use super::blobs::{BlobDigest, Blobs};
use super::flight::Flights;
use super::manifest::{self, Blob, Manifest, Parsed};
use super::name::ImageName;
use super::registry::{self, Session};
use super::{Settings, failed, say};
use crate::api::{ImageError, ImageProgress, RegistryAuth};
use futures::{StreamExt, TryStreamExt};
use reqwest::StatusCode;
use sha2::{Digest, Sha256};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// What browsers and other image tools open to one host; more is impolite and not faster.
const BLOBS_AT_ONCE: usize = 4;
/// Compressed. The largest images in use are half of it.
const IMAGE_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// A broken connection is continued this often without a single new byte.
const TRIES: u32 = 4;
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// What a pull works with.
pub struct Pull<'a> {
    pub blobs: &'a Blobs,
    pub flights: &'a Flights,
    pub settings: &'a Settings,
    pub name: &'a ImageName,
    pub progress: &'a mpsc::Sender<ImageProgress>,
}

impl Pull<'_> {
    /// Pulls from the first place that has it, and gives its manifest's digest.
    pub async fn run(&self, auth: Option<&RegistryAuth>) -> Result<BlobDigest, ImageError> {
        let limit = self.settings.pull_timeout;
        match tokio::time::timeout(limit, self.try_endpoints(auth)).await {
            Ok(result) => result,
            Err(_) => Err(ImageError::Failed {
                doing: format!("pull `{}`", self.name.given),
                detail: format!(
                    "it took longer than {} s; what came is kept, and the next pull goes on from there",
                    limit.as_secs()
                ),
            }),
        }
    }

    async fn try_endpoints(&self, auth: Option<&RegistryAuth>) -> Result<BlobDigest, ImageError> {
        let mut last = None;
        for endpoint in registry::endpoints(self.name, self.settings) {
            let host = endpoint.host.clone();
            say(self.progress, format!("pulling {} from {host}", self.name.given));
            let pulled =
                async { self.pull_all(&Session::open(endpoint, &self.name.given, auth, self.settings).await?).await };
            match pulled.await {
                Ok(digest) => return Ok(digest),
                Err(error) => {
                    tracing::debug!("`{}` did not come from {host}: {error}", self.name.given);
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| ImageError::NotFound(self.name.given.clone())))
    }

    async fn pull_all(&self, session: &Session) -> Result<BlobDigest, ImageError> {
        let version = session.endpoint().version.clone();
        let mut bytes = self.document(session, &version).await?;
        if let Parsed::Index { ours } = manifest::parse(&self.name.given, &bytes)? {
            bytes = self.document(session, &ours.digest.to_string()).await?;
        }
        let Parsed::Image(Manifest { config, layers }) = manifest::parse(&self.name.given, &bytes)? else {
            return Err(session.invalid("its index leads to another index"));
        };
        let wanted: Vec<Blob> = layers.into_iter().chain([config]).collect();
        if wanted.iter().try_fold(0_u64, |sum, blob| sum.checked_add(blob.size)).is_none_or(|sum| sum > IMAGE_MAX) {
            return Err(session.invalid("it is larger than 64 GiB"));
        }
        let meter = Meter::new(self, wanted.iter().map(|blob| blob.size).sum());
        futures::stream::iter(wanted.iter().map(Ok))
            .try_for_each_concurrent(BLOBS_AT_ONCE, |blob| self.blob(session, blob, &meter))
            .await?;
        // Last, so that a manifest that is here has its blobs.
        self.blobs.put(&bytes)
    }

    /// A manifest, held to its digest if it was asked for by one.
    async fn document(&self, session: &Session, version: &str) -> Result<Vec<u8>, ImageError> {
        let bytes = session.document(version).await?;
        match BlobDigest::parse(version) {
            Some(digest) if BlobDigest::of(&bytes) != digest => {
                Err(session.invalid(format!("the registry sent another manifest than {digest}")))
            }
            _ => Ok(bytes),
        }
    }

    async fn blob(&self, session: &Session, blob: &Blob, meter: &Meter<'_>) -> Result<(), ImageError> {
        let _only = self.flights.enter(&format!("blob {}", blob.digest)).await;
        let mut tries = 0;
        while !self.blobs.has(&blob.digest) {
            let before = self.partial_length(blob).await;
            let mut counted = 0;
            match self.continue_blob(session, blob, meter, &mut counted).await {
                Ok(()) => return Ok(()),
                Err(error @ (ImageError::Failed { .. } | ImageError::Invalid { .. })) => {
                    meter.take_back(counted);
                    let came_further = self.partial_length(blob).await > before;
                    tries = if came_further { 1 } else { tries + 1 };
                    let lied = matches!(error, ImageError::Invalid { .. });
                    if tries >= TRIES || lied && before == 0 {
                        return Err(error);
                    }
                    tracing::debug!("layer {} broke off, trying again: {error}", blob.digest);
                    tokio::time::sleep(Duration::from_millis(250 << tries)).await;
                }
                Err(error) => return Err(error),
            }
        }
        meter.add(blob.size);
        Ok(())
    }

    async fn partial_length(&self, blob: &Blob) -> u64 {
        tokio::fs::metadata(self.blobs.partial_path(&blob.digest)).await.map_or(0, |metadata| metadata.len())
    }

    /// Goes on where the partial file ends, or starts over where the registry cannot.
    /// What it told the meter is in `counted`.
    async fn continue_blob(
        &self,
        session: &Session,
        blob: &Blob,
        meter: &Meter<'_>,
        counted: &mut u64,
    ) -> Result<(), ImageError> {
        let doing = || format!("store layer {} of `{}`", blob.digest, self.name.given);
        let path = self.blobs.partial_path(&blob.digest);
        let mut file = tokio::fs::OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .await
            .map_err(failed(doing()))?;
        let (mut hash, mut length) = (Sha256::new(), 0_u64);
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match file.read(&mut buffer).await.map_err(failed(doing()))? {
                0 => break,
                count => {
                    hash.update(&buffer[..count]);
                    length += count as u64;
                }
            }
        }
        let mut count = |bytes: u64| {
            *counted += bytes;
            meter.add(bytes);
        };
        if length < blob.size {
            let response = session.blob(&blob.digest.to_string(), length).await?;
            if response.status() != StatusCode::PARTIAL_CONTENT {
                file.set_len(0).await.map_err(failed(doing()))?;
                (hash, length) = (Sha256::new(), 0);
            }
            count(length);
            let mut stream = response.bytes_stream();
            while let Some(part) = stream.next().await {
                let part = match part {
                    Ok(part) => part,
                    Err(error) => {
                        file.flush().await.map_err(failed(doing()))?; // The next try goes on from here.
                        return Err(session.unreachable(&error));
                    }
                };
                length += part.len() as u64;
                if length > blob.size {
                    return self
                        .refuse(session, blob, format!("layer {} is longer than the manifest says", blob.digest))
                        .await;
                }
                hash.update(&part);
                file.write_all(&part).await.map_err(failed(doing()))?;
                count(part.len() as u64);
            }
            file.flush().await.map_err(failed(doing()))?;
            if length < blob.size {
                let detail = format!("the registry ended layer {} after {length} of {} bytes", blob.digest, blob.size);
                return Err(ImageError::Failed { doing: doing(), detail });
            }
        } else {
            count(length);
        }
        let found = BlobDigest::finish(hash);
        if found != blob.digest {
            return self.refuse(session, blob, format!("the registry sent {found} for layer {}", blob.digest)).await;
        }
        file.sync_all().await.map_err(failed(doing()))?;
        drop(file);
        self.blobs.finish_partial(&blob.digest)?;
        Ok(())
    }

    /// What was not the layer must not be continued.
    async fn refuse(&self, session: &Session, blob: &Blob, detail: String) -> Result<(), ImageError> {
        tokio::fs::remove_file(self.blobs.partial_path(&blob.digest))
            .await
            .map_err(failed("remove a damaged layer"))?;
        Err(session.invalid(detail))
    }
}

/// How much of a pull is done, said now and then.
struct Meter<'a> {
    pull: &'a Pull<'a>,
    total: u64,
    state: Mutex<(u64, Instant)>,
}

impl<'a> Meter<'a> {
    fn new(pull: &'a Pull<'a>, total: u64) -> Self {
        Self { pull, total, state: Mutex::new((0, Instant::now())) }
    }

    fn add(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.0 += bytes;
        if state.1.elapsed() >= PROGRESS_EVERY || state.0 == self.total {
            state.1 = Instant::now();
            let message = format!("pulling {}", self.pull.name.given);
            let _ = self.pull.progress.try_send(ImageProgress {
                message,
                done_bytes: Some(state.0),
                total_bytes: Some(self.total),
            });
        }
    }

    fn take_back(&self, bytes: u64) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.0 = state.0.saturating_sub(bytes);
    }
}
