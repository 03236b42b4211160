//! The planner's decisions, each told as a world and the plan for it.

mod capacity;
mod lifecycle;
mod reasons;
mod rollout;

use super::*;
use crate::fixture::{at, build, instance, pool};
use crate::world::{Health, Node, PoolView, Tenant};
use crate::{NodeId, TenantId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A world under construction.
pub struct Scene {
    pub world: World,
    pub limits: Limits,
}

pub fn scene(now: i64) -> Scene {
    let world = World { now: at(now), nodes: BTreeMap::new(), pools: BTreeMap::new(), tenants: BTreeMap::new() };
    Scene { world, limits: Limits::default() }
}

impl Scene {
    /// A host that is up, with room for so many members of the usual size.
    pub fn node(self, name: &str, members: u64) -> Self {
        self.node_with(name, members, |_| ())
    }

    pub fn node_with(mut self, name: &str, members: u64, change: impl FnOnce(&mut Node)) -> Self {
        let mut node = Node {
            health: Health::Up,
            memory_mb: members * (1024 + 64),
            disk_mb: 1 << 30,
            memory_used_mb: 0,
            disk_used_mb: 0,
            starting: 0,
            missing_artifacts: BTreeSet::new(),
        };
        change(&mut node);
        self.world.nodes.insert(NodeId::from_body(name), node);
        self
    }

    /// The usual pool: two ready at least, four at most.
    pub fn pool(self, name: &str) -> Self {
        self.pool_with(name, |_| ())
    }

    pub fn pool_with(mut self, name: &str, change: impl FnOnce(&mut PoolView)) -> Self {
        let mut view = PoolView {
            pool: pool(name),
            instances: BTreeMap::new(),
            waiters: 0,
            wanted: Some(build("b1")),
            last_failure: None,
        };
        change(&mut view);
        self.world.pools.insert(view.pool.id.clone(), view);
        self
    }

    /// A row of the pool's current build, as `make` shapes it.
    pub fn row(mut self, of: &str, name: &str, make: impl FnOnce(Instance) -> Instance) -> Self {
        let view = self.view(of);
        let row = make(instance(&view.pool, name));
        view.instances.insert(row.id.clone(), row);
        self
    }

    pub fn ready(self, of: &str, name: &str, since: i64) -> Self {
        self.row(of, name, |row| row.ready("n1", since))
    }

    pub fn starting(self, of: &str, name: &str, since: i64) -> Self {
        self.row(of, name, |row| row.starting("n1", since))
    }

    /// The tag moves: rows made from here on are of the new build once it is rolled to.
    pub fn wants(mut self, of: &str, name: &str) -> Self {
        self.view(of).wanted = Some(build(name));
        self
    }

    /// The pool has rolled to a build at this moment.
    pub fn rolled(mut self, of: &str, name: &str, when: i64) -> Self {
        let view = self.view(of);
        view.wanted = Some(build(name));
        view.pool.roll(&build(name), at(when));
        self
    }

    pub fn tenant(mut self, name: &str, change: impl FnOnce(&mut Tenant)) -> Self {
        let mut tenant = Tenant { instances_max: None, memory_mb_max: None, instances_used: 0, memory_mb_used: 0 };
        change(&mut tenant);
        self.world.tenants.insert(TenantId::from_body(name), tenant);
        self
    }

    pub fn limit(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub fn view(&mut self, of: &str) -> &mut PoolView {
        self.world.pools.get_mut(&WarmPoolId::from_body(of)).expect("a pool of this scene")
    }

    pub fn plan(&self) -> Plan {
        let plan = plan(&self.world, &self.limits, &mut Ids::from_seed(1));
        assert_eq!(plan, super::plan(&self.world, &self.limits, &mut Ids::from_seed(1)), "same input, same plan");
        plan
    }

    /// The plan's actions, one a line; new rows are called `new1`, `new2`, ….
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut made = 0;
        for action in &self.plan().actions {
            let line = match action {
                Action::Start { instance, .. } => {
                    made += 1;
                    let pool = instance.pool.as_ref().map_or("nobody", |pool| pool.as_str());
                    let node = instance.node().expect("placed");
                    format!("start new{made} of {} for {pool} on {node}", instance.build)
                }
                Action::Stop { instance, why, .. } => format!("stop {instance}: {why:?}"),
                Action::Forget { instance, why, .. } => format!("forget {instance}: {why:?}"),
                Action::Roll { pool, current, previous, abandoned, .. } => {
                    let previous = previous.as_ref().map_or("nothing".into(), |was| format!("{}", was.build));
                    let given_up = abandoned.map_or(String::new(), |number| format!(", generation {number} given up"));
                    format!("roll {pool} to {} as {} after {previous}{given_up}", current.build, current.number)
                }
                Action::CutOver { pool, generation, .. } => format!("cut {pool} over to {generation}"),
                Action::Degrade { pool, degraded, .. } => match degraded {
                    Some(why) => format!("degrade {pool}: {:?}: {}", why.reason, why.evidence),
                    None => format!("recover {pool}"),
                },
                Action::Drained { pool, .. } => format!("drained {pool}"),
            };
            writeln!(text, "{}", line.replace("ins_", "").replace("twp_", "").replace("node_", "").replace("tb_", ""))
                .expect("a string takes everything");
        }
        text
    }

    pub fn wake(&self, of: &str) -> Option<i64> {
        let of = WarmPoolId::from_body(of);
        let found = self.plan().wake.into_iter().find(|(pool, _)| *pool == of);
        found.map(|(_, moment)| moment.as_second() - at(0).as_second())
    }
}

/// Asserts that a scene's plan is exactly these lines.
#[track_caller]
pub fn plans(scene: &Scene, lines: &str) {
    let expected: Vec<_> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let planned = scene.text();
    assert_eq!(planned.lines().collect::<Vec<_>>(), expected, "the plan is:\n{planned}");
}

pub fn sizes(min: u32, max: u32) -> impl FnOnce(&mut PoolView) {
    move |view: &mut PoolView| {
        view.pool.min_ready = min;
        view.pool.max_ready = max;
    }
}

pub fn in_state(state: PoolState) -> impl FnOnce(&mut PoolView) {
    move |view: &mut PoolView| view.pool.state = state
}

#[test]
fn a_world_survives_being_saved() {
    let scene = scene(10).node("n1", 8).pool("py").ready("py", "a", 5).tenant("t1", |_| ());
    let saved = serde_json::to_string(&scene.world).unwrap();
    assert_eq!(serde_json::from_str::<World>(&saved).unwrap(), scene.world);
}
