//! Which pools want a plan: those that something happened to, and those whose next deadline has passed.

use crate::clock::Clock;
use nullspace_domain::{Timestamp, WarmPoolId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// Pools in one pass: a plan of more would hold the others up for long.
const POOLS_PER_PASS: usize = 512;
/// Longest sleep. Nothing depends on it; it bounds what a lost wake-up could cost.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// Longest wait for a pass on demand.
const PASS_WITHIN: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(crate) struct Due {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    now: BTreeSet<WarmPoolId>,
    later: BTreeMap<WarmPoolId, Timestamp>,
    /// Whoever waits for a pass that has not begun.
    asked: Vec<(WarmPoolId, oneshot::Sender<()>)>,
}

/// One pass's pools.
pub(crate) struct Pass {
    pub pools: BTreeSet<WarmPoolId>,
    asked: Vec<oneshot::Sender<()>>,
}

impl Pass {
    /// Tells whoever asked for it.
    pub(crate) fn done(self) {
        for asked in self.asked {
            // It may have stopped waiting.
            let _ = asked.send(());
        }
    }
}

impl Due {
    /// Something happened to a pool.
    pub(crate) fn mark(&self, pool: &WarmPoolId) {
        self.with(|state| state.now.insert(pool.clone()));
        self.changed.notify_one();
    }

    /// The next moment at which something changes by itself.
    pub(crate) fn wake_at(&self, pool: WarmPoolId, moment: Timestamp) {
        self.with(|state| state.later.insert(pool, moment));
    }

    /// Until a pass over the pool that began after this call has ended, within bounds.
    pub(crate) async fn pass(&self, pool: &WarmPoolId) {
        let (done, was_done) = oneshot::channel();
        self.with(|state| {
            state.now.insert(pool.clone());
            state.asked.push((pool.clone(), done));
        });
        self.changed.notify_one();
        // Without it the caller sees the pool as it is, which is still true.
        let _ = tokio::time::timeout(PASS_WITHIN, was_done).await;
    }

    /// The pools of the next pass, as soon as there are any.
    pub(crate) async fn next(&self, clock: &Clock) -> Pass {
        loop {
            let now = clock.now();
            let (pass, sleep) = self.with(|state| state.take(now));
            if !pass.pools.is_empty() {
                return pass;
            }
            // A mark since then is remembered by the notification.
            let _ = tokio::time::timeout(sleep, self.changed.notified()).await;
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().expect("nothing panics with the lock held"))
    }
}

impl State {
    fn take(&mut self, now: Timestamp) -> (Pass, Duration) {
        let overdue: Vec<_> =
            self.later.iter().filter(|(_, moment)| **moment <= now).map(|(pool, _)| pool.clone()).collect();
        self.now.extend(overdue);
        let mut pools = std::mem::take(&mut self.now);
        if let Some(first_left) = pools.iter().nth(POOLS_PER_PASS).cloned() {
            self.now = pools.split_off(&first_left);
        }
        // A pass says anew when to look again.
        for pool in &pools {
            self.later.remove(pool);
        }
        let (asked, left) = std::mem::take(&mut self.asked).into_iter().partition(|(pool, _)| pools.contains(pool));
        self.asked = left;
        let until = |moment: &Timestamp| Duration::try_from(moment.duration_since(now)).unwrap_or_default();
        let sleep = self.later.values().min().map_or(SLEEP_MAX, until).min(SLEEP_MAX);
        let asked: Vec<(WarmPoolId, oneshot::Sender<()>)> = asked;
        (Pass { pools, asked: asked.into_iter().map(|(_, done)| done).collect() }, sleep)
    }
}
