//! One seed: a small installation, a storm of faults and orders, then quiet, and what must be true then.

mod goal;
mod storm;

use crate::checker::Checker;
use crate::checkout::Creates;
use crate::controller::Controller;
use crate::hosts::{Fleet, Host, Quality};
use crate::random::Random;
use crate::store::{KnownHost, Pool, Store};
use jiff::SignedDuration;
use nullspace_domain::limits::Limits;
use nullspace_domain::warm_pool::{Generation, Mode, PoolState, VersionPolicy, WarmPool};
use nullspace_domain::world::{Health, Resolved};
use nullspace_domain::{ArtifactId, BuildId, NodeId, Resources, TemplateId, TenantId, Timestamp, WarmPoolId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Memory of every member and its overhead.
pub const MEMBER_MB: u64 = 1024 + 64;
/// Builds a tag may point at.
const BUILDS: u32 = 6;

pub struct Simulation {
    store: Store,
    fleet: Fleet,
    creates: Creates,
    controllers: Vec<Controller>,
    checker: Checker,
    /// Of hundred plans, how many are committed late.
    late_percent: u64,
}

/// Runs one seed and returns its story. Panics where a promise is broken.
pub fn run(seed: u64, is_loud: bool) -> Vec<String> {
    let mut simulation = Simulation::new(seed, is_loud);
    simulation.storm();
    simulation.calm();
    simulation.reach_the_goal();
    simulation.store.story
}

pub fn build(number: u32) -> Resolved {
    let name = format!("b{number}");
    Resolved { build: BuildId::from_body(&name), artifact: ArtifactId::from_body(&name) }
}

impl Simulation {
    fn new(seed: u64, is_loud: bool) -> Self {
        let mut random = Random::new(seed);
        let now = Timestamp::from_second(1_700_000_000).expect("a moment of this century");
        let limits = Limits {
            starts_per_node: random.size(1, 3),
            releases_per_tick: random.size(1, 4),
            pool_failures_max: 3,
            rollout_progress_deadline: Duration::from_secs(120),
            start_deadline: Duration::from_secs(300),
            ..Limits::default()
        };
        let mut fleet = Fleet::new(now);
        let mut hosts = BTreeMap::new();
        for number in 0..random.between(2, 4) {
            let id = NodeId::from_body(&format!("n{number}"));
            fleet.hosts.insert(id.clone(), Host::default());
            hosts.insert(id, KnownHost { health: Health::Up, memory_mb: random.between(2, 16) * MEMBER_MB });
        }
        for number in 1..=BUILDS {
            let quality = match random.between(0, 9) {
                _ if number == 1 => Quality::Good,
                0..=5 => Quality::Good,
                6..=7 => Quality::Fails,
                _ => Quality::Hangs,
            };
            fleet.builds.insert(build(number).build, quality);
        }
        let quota = [("t1", random.size(4, 40)), ("t2", random.size(4, 40))];
        let pools = (0..random.between(1, 4)).map(|number| pool(&mut random, number, now)).collect();
        let store = Store {
            now,
            limits,
            pools,
            instances: BTreeMap::new(),
            sandboxes: BTreeMap::new(),
            hosts,
            quota: quota.into_iter().map(|(name, most)| (TenantId::from_body(name), most)).collect(),
            due: BTreeSet::new(),
            wakes: BTreeMap::new(),
            changes: 1,
            random,
            story: Vec::new(),
            is_loud,
        };
        let controllers = vec![Controller::new(seed ^ 1), Controller::new(seed ^ 2)];
        let (creates, checker) = (Creates::default(), Checker::default());
        let mut simulation = Self { store, fleet, creates, controllers, checker, late_percent: 30 };
        simulation.store.due = simulation.store.pools.keys().cloned().collect();
        simulation.fleet.failures_percent = 10;
        simulation.fleet.loss_percent = 5;
        simulation
    }

    /// Lets time pass from event to event, and looks after each of them.
    fn pass(&mut self, length: SignedDuration, mut look: impl FnMut(&mut Self)) {
        let end = self.store.now + length;
        loop {
            self.settle();
            look(self);
            let wakes = self.store.wakes.values().min().copied();
            let plans = self.controllers.iter().filter_map(Controller::next).min();
            let next = [Some(self.fleet.next()), wakes, plans, self.creates.next()].into_iter().flatten().min();
            let next = next.unwrap_or(end);
            if next > end {
                self.store.now = end;
                return;
            }
            // Time goes on, whatever somebody says is due.
            self.store.now = next.max(self.store.now + SignedDuration::from_millis(10));
        }
    }

    /// Everything that can happen at this moment, happens.
    fn settle(&mut self) {
        // Bounded: a loop that always finds something more to do would never let time pass.
        for _ in 0..64 {
            self.fleet.step(&mut self.store);
            self.creates.serve(&mut self.store, &mut self.fleet, &mut self.checker);
            self.checker.step(&self.store, &self.fleet);
            for controller in &mut self.controllers {
                let is_late = self.store.random.chance(self.late_percent);
                let delay = if is_late { self.store.random.between(1, 5000) } else { 0 };
                controller.step(&mut self.store, &mut self.fleet, delay);
                self.checker.step(&self.store, &self.fleet);
            }
            let has_plan = |controller: &Controller| controller.next().is_none();
            if self.store.due.is_empty() || !self.controllers.iter().any(has_plan) {
                return;
            }
        }
        panic!("pools are due again and again: {:?}", self.store.due);
    }
}

fn pool(random: &mut Random, number: u64, now: Timestamp) -> (WarmPoolId, Pool) {
    let name = format!("p{number}");
    let id = WarmPoolId::from_body(&name);
    let template = TemplateId::from_body(&name);
    let first = build(1);
    let min_ready = random.size(0, 4);
    let follows = random.chance(80);
    let row = WarmPool {
        id: id.clone(),
        tenant: TenantId::from_body(random.pick(&["t1", "t2"]).expect("two")),
        name: name.clone(),
        template_ref: name,
        template: template.clone(),
        state: PoolState::Enabled,
        min_ready,
        max_ready: (min_ready + random.size(0, 3)).max(1),
        resources: Resources { vcpus: 1, memory_mb: 1024, disk_mb: 1024 },
        internet_access: true,
        checkout_policy: Mode::Prefer,
        version_policy: match follows {
            true => VersionPolicy::TrackTag { tag: "stable".into() },
            false => VersionPolicy::PinnedBuild,
        },
        idle_timeout: Duration::from_secs(random.between(30, 600)),
        stale_after: Duration::from_secs(random.between(400, 3000)),
        current: Generation {
            number: 1,
            template,
            build: first.build.clone(),
            artifact: first.artifact.clone(),
            started_at: now,
            cut_over_at: None,
        },
        previous: None,
        abandoned: None,
        failures_in_a_row: 0,
        degraded: None,
        last_demand_at: None,
        labels: BTreeMap::new(),
        metadata: serde_json::Map::new(),
        created_at: now,
        updated_at: now,
        enabled_at: Some(now),
        disabled_at: None,
        drain_requested_at: None,
        drained_at: None,
        last_reconciled_at: None,
        deleted_at: None,
        revision: 1,
    };
    (id, Pool { row, tag: Some(first), waiters: 0, last_failure: None })
}
