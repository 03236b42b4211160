//! Who a bearer key belongs to.

use super::{Caller, Engine, Error};
use crate::store::tenants;
use nullspace_domain::KeyId;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::RwLock;

/// Callers by the digest of their key. Bounded by the keys that exist: only valid ones are kept.
#[derive(Default)]
pub struct KeyCache(RwLock<HashMap<[u8; 32], Caller>>);

impl KeyCache {
    fn get(&self, hash: &[u8; 32]) -> Option<Caller> {
        self.0.read().expect("nothing panics with the lock held").get(hash).cloned()
    }

    fn keep(&self, hash: [u8; 32], caller: Caller) {
        self.0.write().expect("nothing panics with the lock held").insert(hash, caller);
    }

    pub(super) fn forget(&self, key: &KeyId) {
        self.0.write().expect("nothing panics with the lock held").retain(|_, caller| caller.key != *key);
    }
}

/// What is kept of a key.
pub(super) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl Engine {
    /// The caller that a bearer key stands for. Cached: no query for a key seen before.
    pub async fn authenticate(&self, bearer: &str) -> Result<Caller, Error> {
        let hash = hash(bearer);
        if let Some(caller) = self.inner.keys.get(&hash) {
            return Ok(caller);
        }
        // On the writer: a key that is being revoked is seen after the revocation, never cached past it.
        let engine = self.clone();
        let look = move |tx: &rusqlite::Transaction<'_>| {
            let key = tenants::key_by_hash(tx, &hash)?.filter(|key| key.revoked_at.is_none());
            let key = key.ok_or(Error::Unauthorized)?;
            let caller = Caller { tenant: key.tenant, namespace: key.tenant_slug, key: key.id, admin: key.admin };
            engine.inner.keys.keep(hash, caller.clone());
            Ok(caller)
        };
        self.inner.store.write(look).await
    }
}

impl Caller {
    /// Refuses those who may not manage the installation.
    pub(super) fn must_be_admin(&self) -> Result<(), Error> {
        match self.admin {
            true => Ok(()),
            false => Err(Error::Forbidden { message: "this needs an admin key".to_owned() }),
        }
    }
}
