//! Which Idempotency-Keys are being worked on. In memory only: a crash ends the work with them.

use nullspace_domain::TenantId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

type Keys = Mutex<HashSet<(TenantId, String)>>;

#[derive(Default)]
pub struct InFlight(Arc<Keys>);

/// Holds a key until it is dropped.
pub struct Held {
    keys: Arc<Keys>,
    key: (TenantId, String),
}

impl InFlight {
    /// None while somebody else holds it.
    pub fn hold(&self, tenant: &TenantId, key: &str) -> Option<Held> {
        let key = (tenant.clone(), key.to_owned());
        let free = self.0.lock().expect("nothing panics with the lock held").insert(key.clone());
        free.then(|| Held { keys: self.0.clone(), key })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keys.lock().expect("nothing panics with the lock held").remove(&self.key);
    }
}
