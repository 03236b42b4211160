//! Simulated hosts and the wires to them: late, lost, cut, and back. What a host does is its own
//! business; the rows learn of it by reports and by comparing from time to time.

use crate::store::Store;
use nullspace_domain::instance::{End, Event, State};
use nullspace_domain::world::Health;
use nullspace_domain::{BuildId, InstanceId, NodeId, Timestamp};
use std::collections::BTreeMap;

/// How a build behaves wherever it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    Good,
    Fails,
    Hangs,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Machine {
    /// Ends well or not at this time; never, if there is none.
    Starting {
        until: Option<Timestamp>,
        ends_well: bool,
    },
    Running,
    Dead,
}

#[derive(Default)]
pub struct Host {
    pub machines: BTreeMap<InstanceId, Machine>,
    /// Nothing gets through since then.
    pub cut_since: Option<Timestamp>,
    /// Switched off for good.
    pub is_off: bool,
}

enum Message {
    Start(InstanceId),
    Stop(InstanceId),
}

/// All hosts.
pub struct Fleet {
    pub hosts: BTreeMap<NodeId, Host>,
    pub builds: BTreeMap<BuildId, Quality>,
    /// Of hundred starts, how many fail for no reason of their own.
    pub failures_percent: u64,
    /// Of hundred messages, how many are lost.
    pub loss_percent: u64,
    orders: Vec<(Timestamp, NodeId, Message)>,
    compare_at: Timestamp,
}

/// A host that has not been heard of for so long is silent, and then dead.
const SILENT_AFTER: i64 = 10;
const DEAD_AFTER: i64 = 60;
/// How often rows and machines are compared.
const COMPARE_EVERY: i64 = 10;

impl Fleet {
    pub fn new(now: Timestamp) -> Self {
        let (hosts, builds) = (BTreeMap::new(), BTreeMap::new());
        Self { hosts, builds, failures_percent: 0, loss_percent: 0, orders: Vec::new(), compare_at: now }
    }

    pub fn order_start(&mut self, store: &mut Store, node: NodeId, id: InstanceId) {
        self.order(store, node, Message::Start(id));
    }

    pub fn order_stop(&mut self, store: &mut Store, node: NodeId, id: InstanceId) {
        self.order(store, node, Message::Stop(id));
    }

    fn order(&mut self, store: &mut Store, node: NodeId, message: Message) {
        if !store.random.chance(self.loss_percent) {
            let delay = jiff::SignedDuration::from_millis(store.random.between(1, 800) as i64);
            self.orders.push((store.now + delay, node, message));
        }
    }

    /// When something happens next by itself.
    pub fn next(&self) -> Timestamp {
        let orders = self.orders.iter().map(|(when, ..)| *when);
        let starts = self.hosts.values().flat_map(|host| host.machines.values()).filter_map(|machine| match machine {
            Machine::Starting { until, .. } => *until,
            _ => None,
        });
        orders.chain(starts).min().map_or(self.compare_at, |next| next.min(self.compare_at))
    }

    pub fn step(&mut self, store: &mut Store) {
        self.deliver(store);
        self.finish_starts(store);
        self.watch_health(store);
        if store.now >= self.compare_at {
            self.compare_at = store.now + jiff::SignedDuration::from_secs(COMPARE_EVERY);
            store.forget_history();
            for node in self.hosts.keys().cloned().collect::<Vec<_>>() {
                self.compare(store, &node);
            }
        }
    }

    pub fn is_reachable(&self, node: &NodeId) -> bool {
        let host = &self.hosts[node];
        host.cut_since.is_none() && !host.is_off
    }

    /// Whether a machine's process is there, as its host sees it.
    pub fn is_alive(&self, node: &NodeId, id: &InstanceId) -> bool {
        self.is_reachable(node) && self.hosts[node].machines.get(id) == Some(&Machine::Running)
    }

    fn deliver(&mut self, store: &mut Store) {
        let (ripe, later) = std::mem::take(&mut self.orders).into_iter().partition(|(when, ..)| *when <= store.now);
        self.orders = later;
        let ripe: Vec<(Timestamp, NodeId, Message)> = ripe;
        for (_, node, message) in ripe {
            if !self.is_reachable(&node) {
                continue;
            }
            match message {
                // Its row ended long ago.
                Message::Start(id) if !store.instances.contains_key(&id) => {}
                Message::Start(id) => {
                    let quality = self.builds[&store.instances[&id].build];
                    let is_unlucky = store.random.chance(self.failures_percent);
                    let takes = jiff::SignedDuration::from_secs(store.random.between(1, 20) as i64);
                    let until = (quality != Quality::Hangs).then_some(store.now + takes);
                    let ends_well = quality == Quality::Good && !is_unlucky;
                    let machine = Machine::Starting { until, ends_well };
                    self.hosts.get_mut(&node).expect("known").machines.entry(id).or_insert(machine);
                }
                Message::Stop(id) => {
                    self.hosts.get_mut(&node).expect("known").machines.remove(&id);
                    self.report(store, &node, &id);
                }
            }
        }
    }

    fn finish_starts(&mut self, store: &mut Store) {
        let mut reports = Vec::new();
        for (node, host) in self.hosts.iter_mut().filter(|(_, host)| !host.is_off) {
            for (id, machine) in &mut host.machines {
                if let Machine::Starting { until: Some(until), ends_well } = machine
                    && *until <= store.now
                {
                    *machine = if *ends_well { Machine::Running } else { Machine::Dead };
                    reports.push((node.clone(), id.clone()));
                }
            }
        }
        for (node, id) in reports {
            self.report(store, &node, &id);
        }
    }

    /// Tells the control plane how a machine is, if the wire holds.
    pub fn report(&mut self, store: &mut Store, node: &NodeId, id: &InstanceId) {
        if self.is_reachable(node) && !store.random.chance(self.loss_percent) {
            self.learn(store, node, id);
        }
    }

    /// The row learns what its machine is.
    fn learn(&mut self, store: &mut Store, node: &NodeId, id: &InstanceId) {
        let Some(row) = store.instances.get(id) else { return };
        let machine = self.hosts[node].machines.get(id).cloned();
        match (&row.state, machine) {
            (State::Starting { .. }, Some(Machine::Running)) => {
                let pool = row.pool.clone();
                store.move_instance(id, Event::BecameReady);
                if let Some(pool) = pool.filter(|pool| store.pools[pool].row.failures_in_a_row > 0) {
                    store.change_pool(&pool, |pool| pool.failures_in_a_row = 0);
                }
            }
            (State::Starting { .. }, Some(Machine::Dead)) => {
                let pool = row.pool.clone();
                self.hosts.get_mut(node).expect("known").machines.remove(id);
                store.move_instance(id, Event::Ended { why: End::Failed });
                if let Some(pool) = pool {
                    store.pools.get_mut(&pool).expect("known").last_failure = Some("it did not start".into());
                    store.change_pool(&pool, |pool| pool.failures_in_a_row += 1);
                }
            }
            (State::Ready { .. } | State::Bound { .. }, None | Some(Machine::Dead)) => {
                self.hosts.get_mut(node).expect("known").machines.remove(id);
                store.move_instance(id, Event::Ended { why: End::Lost });
            }
            (State::Stopping { .. }, None) => store.move_instance(id, Event::Ended { why: End::Lost }),
            _ => {}
        }
    }

    /// Rows and machines of one host, side by side: what was lost on the wire is said again.
    fn compare(&mut self, store: &mut Store, node: &NodeId) {
        if !self.is_reachable(node) {
            return;
        }
        let on_node = |row: &&nullspace_domain::instance::Instance| row.node() == Some(node) && !row.is_gone();
        let rows: Vec<_> = store.instances.values().filter(on_node).map(|row| row.id.clone()).collect();
        for id in rows {
            self.learn(store, node, &id);
            let here = self.hosts[node].machines.contains_key(&id);
            match &store.instances[&id].state {
                State::Starting { .. } if !here => self.order_start(store, node.clone(), id),
                State::Stopping { .. } if here => self.order_stop(store, node.clone(), id),
                _ => {}
            }
        }
        let rowless = |id: &InstanceId| store.instances.get(id).is_none_or(|row| row.is_gone());
        self.hosts.get_mut(node).expect("known").machines.retain(|id, _| !rowless(id));
    }

    fn watch_health(&mut self, store: &mut Store) {
        for (node, host) in &mut self.hosts {
            let silence = host.cut_since.map_or(0, |since| store.now.as_second() - since.as_second());
            let known = store.hosts.get_mut(node).expect("known").health;
            let health = match known {
                // A host that was given up does not come back under its old name; it ends what it ran.
                Health::Dead => Health::Dead,
                _ if silence > DEAD_AFTER => Health::Dead,
                _ if silence > SILENT_AFTER => Health::Silent,
                _ => Health::Up,
            };
            if health == Health::Dead && host.cut_since.is_none() {
                host.machines.clear();
            }
            if health != known {
                store.hosts.get_mut(node).expect("known").health = health;
                store.due.extend(store.pools.keys().cloned().collect::<Vec<_>>());
                store.tell(format!("{node} is {health:?}"));
            }
        }
    }
}
