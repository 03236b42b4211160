//! Creates that come and wait, served in order by the real decisions.

use crate::checker::Checker;
use crate::hosts::Fleet;
use crate::store::{Sandbox, Store};
use nullspace_domain::checkout::{Decision, OnMiss, Request, candidates, decide, miss_reason};
use nullspace_domain::instance::{End, Event};
use nullspace_domain::warm_pool::Mode;
use nullspace_domain::{Resources, SandboxId, Timestamp, WarmPoolId};
use std::collections::BTreeSet;
use std::time::Duration;

/// A create that waits.
pub struct Waiter {
    pool: WarmPoolId,
    mode: Mode,
    until: Timestamp,
    tried: u32,
}

#[derive(Default)]
pub struct Creates {
    waiting: Vec<Waiter>,
    made: u64,
}

impl Creates {
    pub fn next(&self) -> Option<Timestamp> {
        self.waiting.iter().map(|waiter| waiter.until).min()
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A create comes in.
    pub fn come(&mut self, store: &mut Store, pool: WarmPoolId) {
        let mode = store.random.pick(&[Mode::Prefer, Mode::Require]).expect("two");
        let wait = Duration::from_millis(store.random.between(0, 60_000));
        let row = &store.pools[&pool].row;
        let request = request(row.template.clone(), Some(mode), Some(wait));
        match decide(row, &request) {
            Decision::Try { wait, .. } => {
                let until = store.now + jiff::SignedDuration::try_from(wait).expect("clamped");
                store.pools.get_mut(&pool).expect("known").waiters += 1;
                store.due.insert(pool.clone());
                self.waiting.push(Waiter { pool, mode, until, tried: 0 });
            }
            Decision::StartCold { receipt } => {
                assert!(!receipt.hit && receipt.miss_reason.is_some(), "a cold start says why");
                assert_ne!(mode, Mode::Require, "`require` never starts cold");
            }
            Decision::Refuse { .. } => assert_eq!(mode, Mode::Require, "only `require` refuses"),
        }
    }

    /// Serves whoever can be served, first come, first served; ends the waits that are over.
    pub fn serve(&mut self, store: &mut Store, fleet: &mut Fleet, checker: &mut Checker) {
        for mut waiter in std::mem::take(&mut self.waiting) {
            let request = request(store.pools[&waiter.pool].row.template.clone(), Some(waiter.mode), None);
            let can_hope = matches!(decide(&store.pools[&waiter.pool].row, &request), Decision::Try { .. });
            if can_hope && self.take(store, fleet, checker, &mut waiter, &request) {
                self.leave(store, &waiter);
            } else if !can_hope || waiter.until <= store.now {
                let reason = miss_reason(&store.pools[&waiter.pool].row, waiter.tried);
                let then = OnMiss::of(waiter.mode);
                assert_eq!(then == OnMiss::Refuse, waiter.mode == Mode::Require);
                store.tell(format!("{}: missed, {reason}", waiter.pool));
                let now = store.now;
                store.change_pool(&waiter.pool, |pool| pool.last_demand_at = Some(now));
                self.leave(store, &waiter);
            } else {
                self.waiting.push(waiter);
            }
        }
    }

    fn leave(&self, store: &mut Store, waiter: &Waiter) {
        store.pools.get_mut(&waiter.pool).expect("known").waiters -= 1;
        store.due.insert(waiter.pool.clone());
    }

    fn take(
        &mut self,
        store: &mut Store,
        fleet: &mut Fleet,
        checker: &mut Checker,
        waiter: &mut Waiter,
        request: &Request,
    ) -> bool {
        let row = &store.pools[&waiter.pool].row;
        let found = candidates(row, store.rows_of(&waiter.pool), request, store.now);
        let found: Vec<_> = found.into_iter().map(|member| member.id.clone()).collect();
        for id in found {
            let node = store.instances[&id].node().expect("ready somewhere").clone();
            if !fleet.is_alive(&node, &id) {
                waiter.tried += 1;
                store.move_instance(&id, Event::Stop { why: End::Lost });
                fleet.order_stop(store, node, id);
                continue;
            }
            self.made += 1;
            let to = SandboxId::from_body(&format!("s{}", self.made));
            checker.handed_out(store, &id, &to);
            store.sandboxes.insert(to.clone(), Sandbox { instance: id.clone(), is_over: false });
            store.move_instance(&id, Event::Bind { to });
            return true;
        }
        false
    }
}

fn request(template: nullspace_domain::TemplateId, mode: Option<Mode>, wait: Option<Duration>) -> Request {
    let resources = Resources { vcpus: 1, memory_mb: 128, disk_mb: 0 };
    Request { mode, wait, template, build: None, resources, specials: BTreeSet::new() }
}
