//! Why a pool is as it is: the notes of its last plan; and a pass on demand.

use super::{Caller, Engine, Error, PoolInfo};
use crate::store::pools;

impl Engine {
    /// Sentences for a person.
    pub async fn explain_warm_pool(&self, caller: &Caller, id: &str) -> Result<Vec<String>, Error> {
        let info = self.get_warm_pool(caller, id).await?;
        Ok(self.memory(|memory| memory.notes.get(&info.pool.id).cloned()).unwrap_or_default())
    }

    /// Answers after a pass that began after the call. A pool that gave up tries again.
    pub async fn reconcile_warm_pool(&self, caller: &Caller, id: &str) -> Result<PoolInfo, Error> {
        let pool = self.get_warm_pool(caller, id).await?.pool.id;
        let forgiven = pool.clone();
        let forgive = move |tx: &rusqlite::Transaction<'_>| {
            let mut pool =
                pools::pool(tx, &forgiven)?.ok_or_else(|| Error::WarmPoolNotFound { id: forgiven.to_string() })?;
            if pool.failures_in_a_row > 0 || pool.abandoned.is_some() {
                pool.failures_in_a_row = 0;
                pool.abandoned = None;
                pools::pool_update(tx, &mut pool)?;
            }
            Ok::<_, Error>(())
        };
        self.inner.store.write(forgive).await?;
        self.memory(|memory| memory.missing_artifacts.clear());
        self.inner.due.pass(&pool).await;
        self.get_warm_pool(caller, id).await
    }
}
