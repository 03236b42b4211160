//! Images in the local store, and the host itself.

use super::{Caller, Engine, Error};
use nullspace_node::api::{ImageInfo, ImageProgress, ImageSource, NodeStatus};
use tokio::sync::mpsc;

impl Engine {
    pub async fn list_images(&self, _caller: &Caller) -> Result<Vec<ImageInfo>, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    /// Admin only. Returns when it is there; progress goes to the channel.
    pub async fn add_image(
        &self,
        _caller: &Caller,
        _name: &str,
        _source: ImageSource,
        _progress: mpsc::Sender<ImageProgress>,
    ) -> Result<ImageInfo, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    /// Admin only.
    pub async fn remove_image(&self, _caller: &Caller, _name: &str) -> Result<(), Error> {
        Err(Error::NotImplemented { field: String::new() })
    }

    pub async fn node_status(&self, _caller: &Caller) -> Result<Vec<NodeStatus>, Error> {
        Err(Error::NotImplemented { field: String::new() })
    }
}
