//! The loop that makes what is so what should be: take the pools that are due, load their world, plan,
//! commit each action if its revision still holds, tell the host.
//!
//! No retry inside a tick: the next one sees the world as it is. A wake-up carries no data.

mod commit;
mod due;
mod machines;
mod start_member;
mod sweep;
mod world;

pub(crate) use due::Due;

use crate::engine::{Engine, Error};
use nullspace_domain::WarmPoolId;
use nullspace_domain::instance::End;
use nullspace_domain::plan::{self, Action};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often sandboxes are looked at whose time may be over: how late an expiry may be.
const EXPIRY_PACE: Duration = Duration::from_secs(1);
/// How often rows and machines are compared though nothing was reported.
const SWEEP_PACE: Duration = Duration::from_secs(30);

/// How often uploaded files are looked through; they are kept for weeks.
const BLOB_SWEEP_PACE: Duration = Duration::from_secs(3600);

impl Engine {
    /// Runs the controller until it is told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let reports = self.inner.node.watch();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.reconcile_forever() => {}
            () = self.follow_machines(reports) => {}
            () = self.every(EXPIRY_PACE, Engine::expire_sandboxes) => {}
            () = self.every(SWEEP_PACE, Engine::sweep) => {}
            () = self.every(BLOB_SWEEP_PACE, |engine| async move { engine.sweep_blobs().await }) => {}
        }
    }

    async fn every<F: Future<Output = Result<(), Error>>>(&self, pace: Duration, work: impl Fn(Engine) -> F) {
        let mut ticks = tokio::time::interval(pace);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            report("do a periodic task", work(self.clone()).await);
        }
    }

    async fn reconcile_forever(&self) {
        loop {
            let due = self.inner.due.next(&self.inner.clock).await;
            report("reconcile", self.reconcile(&due.pools).await);
            due.done();
        }
    }

    /// One pass over some pools.
    pub(crate) async fn reconcile(&self, pools: &BTreeSet<WarmPoolId>) -> Result<(), Error> {
        let world = self.load_world(pools).await?;
        let plan = self.inner.entropy.with(|ids| plan::plan(&world, &self.inner.config.limits, ids));
        self.memory(|memory| {
            for pool in pools {
                let notes = plan.notes.iter().filter(|note| note.pool == *pool).map(|note| note.text.clone());
                memory.notes.insert(pool.clone(), notes.collect());
                memory.reconciled.insert(pool.clone(), world.now);
                memory.released.insert(pool.clone(), released(&world, pool, &plan.actions));
            }
        });
        for (pool, moment) in plan.wake {
            self.inner.due.wake_at(pool, moment);
        }
        self.commit(plan.actions).await
    }
}

/// Members of older builds that this plan lets go.
fn released(world: &nullspace_domain::world::World, pool: &WarmPoolId, actions: &[Action]) -> u32 {
    let Some(view) = world.pools.get(pool) else { return 0 };
    let is_old = |action: &&Action| match action {
        Action::Stop { instance, why: End::Released, .. } => {
            view.instances.get(instance).is_some_and(|member| !view.pool.makes(member))
        }
        _ => false,
    };
    u32::try_from(actions.iter().filter(is_old).count()).unwrap_or(u32::MAX)
}

/// A failed pass is written down; the next one tries again.
pub(crate) fn report<T>(doing: &str, result: Result<T, Error>) {
    if let Err(error) = result {
        let error: &dyn std::error::Error = &error;
        tracing::error!(error, "cannot {doing}");
    }
}
