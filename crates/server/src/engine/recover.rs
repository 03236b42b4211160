//! After a start: every row agrees with what the host still has.
//!
//! | row | machine | what happens |
//! |---|---|---|
//! | starting | there | the start is waited for |
//! | starting | none | failed; a sandbox that waited for it ends `error` and frees its key |
//! | ready | paused | kept |
//! | ready | anything else | lost |
//! | bound | running | kept |
//! | bound | paused | resumed: the server died between the commit and the resume |
//! | bound | none | lost, its sandbox ends `error` |
//! | stopping | any | told to end again |
//! | none | any | told to end |

use super::cold_start::machine_spec;
use super::{Engine, Error};
use crate::store::{instances, pools};
use nullspace_domain::instance::{End, Instance, State};
use nullspace_node::api::{MachineReport, MachineState};
use std::collections::BTreeMap;

impl Engine {
    pub(super) async fn recover(&self) -> Result<(), Error> {
        self.refresh_host_status().await;
        let load = |connection: &rusqlite::Connection| {
            Ok::<_, Error>((instances::instances_present(connection)?, pools::pools(connection)?))
        };
        let (rows, pools) = self.inner.store.read(load).await?;
        let reports = self.inner.node.machines().await.into_iter();
        let mut machines: BTreeMap<_, _> = reports.map(|machine| (machine.id.clone(), machine)).collect();
        for row in rows {
            let machine = machines.remove(&row.id);
            self.recover_one(row, machine).await?;
        }
        for orphan in machines.into_keys() {
            tracing::warn!(instance.id = %orphan, "instance {orphan} has no row; stopping it");
            self.stop_machine(orphan);
        }
        self.recover_builds().await?;
        for pool in pools {
            self.inner.due.mark(&pool.id);
        }
        Ok(())
    }

    async fn recover_one(&self, row: Instance, machine: Option<MachineReport>) -> Result<(), Error> {
        let seen = machine.as_ref().map(|machine| machine.state).filter(|state| *state != MachineState::Dead);
        match (&row.state, seen) {
            (State::Gone { .. }, _) => {}
            (State::Stopping { .. }, _) => drop(self.stop_machine(row.id)),
            (State::Starting { .. }, Some(_)) if row.pool.is_some() => drop(self.start_member(machine_spec(&row))),
            (State::Starting { .. }, Some(_)) => {
                let (engine, spec) = (self.clone(), machine_spec(&row));
                self.spawn(async move {
                    // What failed is in the sandbox's row; nobody waits for the answer.
                    if let Err(error) = engine.finish_cold(spec).await {
                        tracing::warn!("a sandbox that was being created failed: {error}");
                    }
                });
            }
            (State::Requested | State::Starting { .. }, _) => {
                let detail = "the server ended while it was starting".to_owned();
                self.machine_failed(&row.id, End::Released, detail).await?;
            }
            (State::Ready { .. }, Some(MachineState::Paused)) | (State::Bound { .. }, Some(MachineState::Running)) => {
                tracing::info!(instance.id = %row.id, "found instance {} again", row.id);
            }
            (State::Bound { to, .. }, Some(MachineState::Paused)) => {
                self.spawn(self.clone().resume_taken(to.clone(), row.id));
            }
            (State::Ready { .. } | State::Bound { .. }, _) => {
                let detail = machine.and_then(|machine| machine.detail).unwrap_or_else(|| "it is gone".to_owned());
                tracing::warn!(instance.id = %row.id, "instance {} did not outlive the server: {detail}", row.id);
                self.machine_failed(&row.id, End::Lost, format!("the machine was lost: {detail}")).await?;
            }
        }
        Ok(())
    }
}
