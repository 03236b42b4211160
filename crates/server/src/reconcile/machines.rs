//! What machines do by themselves: they die, and their sandboxes' time runs out.

use super::report;
use crate::engine::{Engine, Error};
use crate::records::SandboxStatus;
use crate::store::{instances, sandboxes};
use nullspace_domain::instance::End;
use nullspace_node::api::{MachineReport, MachineState};
use tokio::sync::mpsc::UnboundedReceiver;

/// Sandboxes ended in one pass; the next comes soon.
const EXPIRED_PER_PASS: u32 = 256;

impl Engine {
    pub(super) async fn follow_machines(&self, mut reports: UnboundedReceiver<MachineReport>) {
        while let Some(machine) = reports.recv().await {
            if machine.state == MachineState::Dead {
                report("record a machine's death", self.machine_died(machine).await);
            }
        }
        // A host that has nothing more to say ends the loop, not the controller.
        std::future::pending().await
    }

    /// One being made is the business of whoever waits for its start.
    async fn machine_died(&self, machine: MachineReport) -> Result<(), Error> {
        let id = machine.id.clone();
        let row =
            self.inner.store.read(move |connection| Ok::<_, Error>(instances::instance(connection, &id)?)).await?;
        let Some(row) = row.filter(|row| row.is_ready() || row.is_bound()) else { return Ok(()) };
        let detail = machine.detail.unwrap_or_else(|| "its process ended".to_owned());
        tracing::warn!(instance.id = %row.id, "instance {} died: {detail}", row.id);
        self.machine_failed(&row.id, End::Lost, format!("the machine died: {detail}")).await?;
        self.pool_changed(row.pool.as_ref());
        Ok(())
    }

    pub(super) async fn expire_sandboxes(self) -> Result<(), Error> {
        let now = self.now();
        let overdue = move |connection: &rusqlite::Connection| {
            Ok::<_, Error>(sandboxes::sandboxes_overdue(connection, now, EXPIRED_PER_PASS)?)
        };
        for sandbox in self.inner.store.read(overdue).await? {
            tracing::info!(sandbox.id = %sandbox.id, "sandbox {} reached its timeout", sandbox.id);
            self.end_sandbox(&sandbox.id, SandboxStatus::Destroyed, End::Finished, None).await?;
        }
        Ok(())
    }
}
