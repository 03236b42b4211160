//! Where time and randomness come from. Injected, so that tests decide both.

use nullspace_domain::{Ids, Timestamp};
use std::sync::{Arc, Mutex};

/// The present time, as the caller of `Clock::new` defines it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The host's clock.
    pub fn system() -> Self {
        Self::new(Timestamp::now)
    }

    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// Makes ids and secrets from one seed; clones share it.
#[derive(Clone)]
pub struct Entropy {
    ids: Arc<Mutex<Ids>>,
}

impl Entropy {
    /// Seeded by the host's generator: ids and keys are unpredictable.
    pub fn system() -> Result<Self, getrandom::Error> {
        let mut seed = [0u8; 16];
        getrandom::fill(&mut seed)?;
        Ok(Self::from_seed(u128::from_be_bytes(seed)))
    }

    /// Repeatable, for simulations and tests.
    pub fn from_seed(seed: u128) -> Self {
        Self { ids: Arc::new(Mutex::new(Ids::from_seed(seed))) }
    }

    /// 128 bits as an id's body.
    pub fn body(&self) -> String {
        self.with(Ids::body)
    }

    /// Lends the generator to a planner.
    pub fn with<T>(&self, use_ids: impl FnOnce(&mut Ids) -> T) -> T {
        use_ids(&mut self.ids.lock().expect("nothing panics while it makes an id"))
    }
}

/// A 256-bit secret from the host's generator. Not injected: no simulation needs to know a key.
pub fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}
