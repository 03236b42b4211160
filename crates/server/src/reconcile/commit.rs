//! Carrying out a plan: every action whose revision still holds, in one transaction; then the host is told.

use crate::engine::cold_start::machine_spec;
use crate::engine::{Engine, Error};
use crate::records::SandboxStatus;
use crate::store::{instances, pools, sandboxes};
use nullspace_domain::instance::{Event, Instance};
use nullspace_domain::plan::Action;
use nullspace_domain::warm_pool::WarmPool;
use nullspace_domain::{InstanceId, Timestamp, WarmPoolId};
use nullspace_node::api::MachineSpec;
use rusqlite::Connection;

/// What the host is told after the commit.
enum Order {
    Start(MachineSpec),
    Stop(InstanceId),
}

/// What a commit came to.
#[derive(Default)]
struct Committed {
    orders: Vec<Order>,
    /// Pools whose row changed: they want another look.
    changed: Vec<WarmPoolId>,
}

impl Engine {
    pub(crate) async fn commit(&self, actions: Vec<Action>) -> Result<(), Error> {
        if actions.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let carry_out = move |tx: &rusqlite::Transaction<'_>| {
            let mut committed = Committed::default();
            for action in actions {
                one(tx, action, now, &mut committed)?;
            }
            Ok::<_, Error>(committed)
        };
        let committed = self.inner.store.write(carry_out).await?;
        for order in committed.orders {
            match order {
                Order::Start(spec) => drop(self.start_member(spec)),
                Order::Stop(id) => drop(self.stop_machine(id)),
            }
        }
        for pool in committed.changed {
            self.inner.due.mark(&pool);
        }
        Ok(())
    }
}

fn one(tx: &Connection, action: Action, now: Timestamp, committed: &mut Committed) -> Result<(), Error> {
    match action {
        Action::Start { instance, pool_revision } => {
            let pool = match &instance.pool {
                Some(id) => pools::pool(tx, id)?,
                None => None,
            };
            if pool.is_some_and(|pool| pool.revision == pool_revision) {
                instances::instance_insert(tx, &instance)?;
                committed.orders.push(Order::Start(machine_spec(&instance)));
            } else {
                // The pool changed since: it is planned again.
                committed.changed.extend(instance.pool);
            }
        }
        Action::Stop { instance, node: _, why, revision } => {
            if change(tx, &instance, revision, Event::Stop { why }, now)?.is_some_and(|row| row.is_stopping()) {
                committed.orders.push(Order::Stop(instance));
            }
        }
        Action::Forget { instance, why, revision } => {
            if let Some(row) = change(tx, &instance, revision, Event::Ended { why }, now)? {
                fail_sandbox_on(tx, &row, now)?;
            }
        }
        Action::Roll { pool, current, previous, abandoned, revision } => {
            update(tx, &pool, revision, committed, |pool| {
                pool.current = current;
                pool.previous = previous;
                pool.abandoned = abandoned;
                pool.failures_in_a_row = 0;
                pool.updated_at = now;
            })?;
        }
        Action::CutOver { pool, generation, revision } => {
            update(tx, &pool, revision, committed, |pool| {
                if pool.current.number == generation {
                    pool.current.cut_over_at = Some(now);
                }
            })?;
        }
        Action::Degrade { pool, degraded, revision } => {
            update(tx, &pool, revision, committed, |pool| pool.degraded = degraded)?;
        }
        Action::Drained { pool, revision } => {
            update(tx, &pool, revision, committed, |pool| pool.drained_at = Some(now))?;
        }
    }
    Ok(())
}

/// Changes an instance if it is still what the plan saw. Returns it as it is then.
fn change(
    tx: &Connection,
    id: &InstanceId,
    revision: u64,
    event: Event,
    now: Timestamp,
) -> Result<Option<Instance>, Error> {
    let seen = instances::instance(tx, id)?.filter(|row| row.revision == revision);
    let Some(mut row) = seen else { return Ok(None) };
    match row.apply(event, now) {
        Ok(()) => Ok(instances::instance_update(tx, &row, revision)?.then_some(row)),
        // The plan saw this very row, so this is a fault of the planner: leave the row alone and say so.
        Err(error) => {
            tracing::error!(instance.id = %id, "a planned move is not allowed: {error}");
            Ok(None)
        }
    }
}

fn update(
    tx: &Connection,
    id: &WarmPoolId,
    revision: u64,
    committed: &mut Committed,
    change: impl FnOnce(&mut WarmPool),
) -> Result<(), Error> {
    if let Some(mut pool) = pools::pool(tx, id)?.filter(|pool| pool.revision == revision) {
        change(&mut pool);
        pools::pool_update(tx, &mut pool)?;
    }
    committed.changed.push(id.clone());
    Ok(())
}

fn fail_sandbox_on(tx: &Connection, row: &Instance, now: Timestamp) -> Result<(), Error> {
    if let Some(mut sandbox) = sandboxes::sandbox_on(tx, &row.id)?.filter(|sandbox| sandbox.status.is_live()) {
        sandbox.status = SandboxStatus::Error;
        sandbox.failure = Some("its host is gone".to_owned());
        sandbox.ended_at = Some(now);
        sandbox.timeout_at = None;
        sandboxes::sandbox_update(tx, &mut sandbox)?;
    }
    Ok(())
}
