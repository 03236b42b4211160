//! Context files on their way into a build: kept by content, per tenant.

use super::{Caller, Engine, Error};
use bytes::Bytes;
use futures::Stream;

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

impl Engine {
    /// One answer per file, in the order asked.
    pub async fn preflight_blobs(&self, _caller: &Caller, _files: Vec<BlobFile>) -> Result<Vec<BlobCheck>, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    /// Kept only if length and digest are what the id says.
    pub async fn put_blob<S>(&self, _caller: &Caller, _blob_id: &str, _body: S) -> Result<(), Error>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + Unpin,
    {
        Err(Error::NotImplemented { field: String::new() })
    }
}
