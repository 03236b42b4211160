//! Images made from the host's or the distribution's packages, for hosts that reach no registry.

mod as_root;
mod busybox;
mod cache;
mod debian;

pub(super) use as_root::{command as as_root, remove_tree};

use super::blobs::{BlobDigest, Blobs};
use super::{Settings, failed};
use crate::api::{ImageError, ImageProgress};
use std::path::Path;
use tokio::sync::mpsc;

/// Makes an image and gives its manifest's digest.
pub fn make(
    blobs: &Blobs,
    work: &Path,
    settings: &Settings,
    recipe: &str,
    progress: &mpsc::Sender<ImageProgress>,
) -> Result<BlobDigest, ImageError> {
    let (name, version) = recipe.split_once(':').unwrap_or((recipe, ""));
    match (name, version) {
        ("busybox", "" | "latest") => busybox::make(blobs),
        ("debian" | "python", _) => {
            let recipe = debian::Recipe::parse(recipe).ok_or_else(|| unknown(recipe))?;
            debian::make(blobs, work, settings, &recipe, progress)
        }
        _ => Err(unknown(recipe)),
    }
}

fn unknown(recipe: &str) -> ImageError {
    ImageError::Invalid {
        name: recipe.into(),
        detail: format!(
            "no recipe makes it; there are busybox, {}",
            debian::Recipe::all().collect::<Vec<_>>().join(", ")
        ),
    }
}
