//! Why a native build did not come to an artifact, and what the control plane is told.

use super::render::RenderError;
use crate::api::{BuildError, FailurePhase, ImageError};

/// A build's failure, by the part that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot get the base image: {0}")]
    Image(#[from] ImageError),
    #[error("the base template's artifact `{0}` is not on this host any more")]
    BaseArtifactGone(nullspace_domain::ArtifactId),
    #[error("not enough {what} on the host: {detail}")]
    NoRoom { what: &'static str, detail: String },
    #[error("cannot {doing}: {detail}")]
    Prepare { doing: &'static str, detail: String },
    #[error("step {index} cannot be carried out: {source}")]
    Render {
        index: u32,
        #[source]
        source: RenderError,
    },
    /// The step's own fault: its exit code, or a file that is not there.
    #[error("{message}")]
    Step { index: u32, message: String },
    /// The machine's fault while the step ran.
    #[error("the build machine failed during step {index}: {detail}")]
    MachineInStep { index: u32, detail: String },
    #[error("the template did not become ready: {0}")]
    NotReady(String),
    #[error("cannot take the snapshot: {0}")]
    Snapshot(String),
    #[error("cannot {doing}: {detail}")]
    Finalize { doing: &'static str, detail: String },
}

impl From<Error> for BuildError {
    fn from(error: Error) -> Self {
        use FailurePhase as Phase;
        let message = error.to_string();
        let (phase, step_index, retryable, suggested_action) = match &error {
            Error::Image(ImageError::Unauthorized(_)) => {
                (Phase::Auth, None, false, "Check the registry credentials of the base image.")
            }
            Error::Image(ImageError::NotFound(_)) => (
                Phase::Prepare,
                None,
                true,
                "Check the image's name, or bring it here with `nullspace image import` or `nullspace image bootstrap`.",
            ),
            Error::Image(_) => (Phase::Prepare, None, true, "Look at the message; the base image could not be used."),
            Error::BaseArtifactGone(_) => (Phase::Prepare, None, false, "Build the base template again."),
            Error::NoRoom { .. } => (Phase::Prepare, None, true, "Free some room on the host, then build again."),
            Error::Prepare { .. } => (Phase::Prepare, None, true, "Build again; look at the node's log if it repeats."),
            Error::Render { index, .. } => {
                (Phase::Prepare, Some(*index), false, "Correct the step or the files it names.")
            }
            Error::Step { index, .. } => {
                (Phase::BuildStep, Some(*index), false, "Correct the step; its last output is in the message.")
            }
            Error::MachineInStep { index, .. } => {
                (Phase::BuildStep, Some(*index), true, "Build again, with more memory or disk if the step needs much.")
            }
            Error::NotReady(_) => (
                Phase::Readiness,
                None,
                false,
                "Check the start command and the readiness probe; the command's last output is in the message.",
            ),
            Error::Snapshot(_) => (Phase::Snapshot, None, true, "Build again; look at the node's log if it repeats."),
            Error::Finalize { .. } => (Phase::Finalize, None, true, "Build again; check the host's free disk space."),
        };
        Self::Failed { phase, message, step_index, retryable, suggested_action: suggested_action.to_owned() }
    }
}
