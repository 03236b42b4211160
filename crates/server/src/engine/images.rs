//! Images in the local store, and the hosts themselves.

use super::{Caller, Engine, Error};
use nullspace_node::api::{ImageError, ImageInfo, ImageProgress, ImageSource, NodeStatus};
use tokio::sync::mpsc;

/// Longest image reference: a registry's own limit is 255, plus a digest.
const NAME_MAX: usize = 512;

impl Engine {
    pub async fn list_images(&self, _caller: &Caller) -> Result<Vec<ImageInfo>, Error> {
        Ok(self.inner.node.images().await)
    }

    /// Admin only. Returns when it is there; progress goes to the channel.
    pub async fn add_image(
        &self,
        caller: &Caller,
        name: &str,
        source: ImageSource,
        progress: mpsc::Sender<ImageProgress>,
    ) -> Result<ImageInfo, Error> {
        caller.must_be_admin()?;
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid("name", format!("`name` must be 1 to {NAME_MAX} visible ASCII characters")));
        }
        // It is wanted whether or not the caller stays to see it.
        let (engine, owned) = (self.clone(), name.to_owned());
        let work = self.spawn(async move { engine.inner.node.add_image(&owned, source, progress).await });
        let added = work.await.map_err(|error| Error::internal("add an image", error))?;
        added.map_err(|error| image_error(name, error))
    }

    /// Admin only.
    pub async fn remove_image(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        caller.must_be_admin()?;
        self.inner.node.remove_image(name).await.map_err(|error| image_error(name, error))
    }

    pub async fn node_status(&self, _caller: &Caller) -> Result<Vec<NodeStatus>, Error> {
        Ok(vec![self.refresh_host_status().await])
    }
}

fn image_error(name: &str, error: ImageError) -> Error {
    let name = name.to_owned();
    match error {
        ImageError::NotFound(_) => Error::ImageNotFound { name },
        ImageError::Unauthorized(_) => Error::ImageUnauthorized { name },
        ImageError::Invalid { detail, .. } => Error::ImageInvalid { name, detail },
        ImageError::Failed { doing, detail } => {
            Error::ImageFailed { name, detail: format!("cannot {doing}: {detail}") }
        }
    }
}
