//! Creates that wait for a member, first come, first served per pool.
//!
//! Only the first in a queue is woken, and whoever leaves wakes the one behind: a wake-up carries no
//! member, it says that looking again is worth it. A newcomer leaves as many members alone as there
//! are waiters before it.

use nullspace_domain::WarmPoolId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

type Queues = Mutex<HashMap<WarmPoolId, VecDeque<Arc<Notify>>>>;

#[derive(Default)]
pub struct Waiters(Arc<Queues>);

/// A place in a queue, given up when it is dropped.
pub struct Place {
    queues: Arc<Queues>,
    pool: WarmPoolId,
    wake: Arc<Notify>,
}

impl Waiters {
    pub fn join(&self, pool: &WarmPoolId) -> Place {
        let wake = Arc::new(Notify::new());
        let mut queues = self.0.lock().expect("nothing panics with the lock held");
        queues.entry(pool.clone()).or_default().push_back(wake.clone());
        Place { queues: self.0.clone(), pool: pool.clone(), wake }
    }

    /// How many wait for a pool.
    pub fn count(&self, pool: &WarmPoolId) -> usize {
        self.0.lock().expect("nothing panics with the lock held").get(pool).map_or(0, VecDeque::len)
    }

    /// A member became ready: the first in the queue looks again.
    pub fn wake_first(&self, pool: &WarmPoolId) {
        if let Some(first) = self.0.lock().expect("nothing panics with the lock held").get(pool).and_then(|q| q.front())
        {
            first.notify_one();
        }
    }

    /// The pool changed: all of them look again, and may find that waiting is over.
    pub fn wake_all(&self, pool: &WarmPoolId) {
        for waiter in self.0.lock().expect("nothing panics with the lock held").get(pool).into_iter().flatten() {
            waiter.notify_one();
        }
    }
}

impl Place {
    /// How many are before this one.
    pub fn ahead(&self) -> usize {
        let queues = self.queues.lock().expect("nothing panics with the lock held");
        let queue = queues.get(&self.pool);
        queue.and_then(|queue| queue.iter().position(|waiter| Arc::ptr_eq(waiter, &self.wake))).unwrap_or(0)
    }

    /// Until looking again is worth it. A wake-up before the call counts.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queues = self.queues.lock().expect("nothing panics with the lock held");
        let Some(queue) = queues.get_mut(&self.pool) else { return };
        queue.retain(|waiter| !Arc::ptr_eq(waiter, &self.wake));
        match queue.front() {
            // It may have been woken for a member that another left to it.
            Some(next) => next.notify_one(),
            None => drop(queues.remove(&self.pool)),
        }
    }
}
