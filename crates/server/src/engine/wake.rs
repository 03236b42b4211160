//! From taken to running: a member that a checkout committed is resumed, and must answer.

use super::Engine;
use crate::records::SandboxStatus;
use nullspace_domain::instance::End;
use nullspace_domain::{InstanceId, SandboxId};
use nullspace_guest::client;

/// Emulated machines share the host's cores with each other: the same stretch as for readiness.
const EMULATION_STRETCH: u32 = 4;

impl Engine {
    /// Resumes a machine that a sandbox holds. One that does not answer in time ends `error`.
    pub(super) async fn resume_taken(self, sandbox: SandboxId, instance: InstanceId) {
        let resume = async {
            self.inner.node.resume(&instance).await.map_err(|error| error.to_string())?;
            let stream = self.inner.node.guest(&instance).await.map_err(|error| error.to_string())?;
            client::ping(stream).await.map_err(|error| error.to_string())
        };
        let failure = match tokio::time::timeout(self.answer_within(), resume).await {
            Ok(Ok(_)) => return,
            Ok(Err(failure)) => failure,
            Err(_) => "it did not answer after its resume".to_owned(),
        };
        tracing::warn!(sandbox.id = %sandbox, instance.id = %instance, "sandbox {sandbox} failed: {failure}");
        if let Err(error) = self.end_sandbox(&sandbox, SandboxStatus::Error, End::Lost, Some(failure)).await {
            tracing::error!(sandbox.id = %sandbox, error = &error as &dyn std::error::Error, "cannot end sandbox {sandbox}");
        }
    }

    fn answer_within(&self) -> std::time::Duration {
        let emulated =
            self.memory(|memory| memory.node_status.as_ref().is_some_and(|status| status.accelerator == "emulation"));
        self.inner.config.answer_within * if emulated { EMULATION_STRETCH } else { 1 }
    }
}
