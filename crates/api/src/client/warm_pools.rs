//! Template warm pools.

use super::transport::segment;
use super::{Client, Error};

use crate::warm_pools::{
    CreateWarmPool, PoolCounts, PoolExplanation, UpdateWarmPool, WarmPool, WarmPoolList, WarmPoolListQuery,
};
use reqwest::Method;

const POOLS: &str = "/v1/template-warm-pools";

impl Client {
    pub async fn create_warm_pool(&self, request: &CreateWarmPool) -> Result<WarmPool, Error> {
        self.post(POOLS, request).await
    }

    pub async fn list_warm_pools(&self, query: &WarmPoolListQuery) -> Result<Vec<WarmPool>, Error> {
        // A repeated key is a list of pairs: the query serializer knows no sequences.
        let mut pairs = Vec::new();
        let fields = serde_json::to_value(query).expect("a query is plain JSON");
        for (key, value) in fields.as_object().into_iter().flatten() {
            match value {
                serde_json::Value::Array(items) => {
                    pairs.extend(items.iter().filter_map(|item| Some((key.clone(), item.as_str()?.to_owned()))));
                }
                serde_json::Value::String(text) => pairs.push((key.clone(), text.clone())),
                other => pairs.push((key.clone(), other.to_string())),
            }
        }
        let list: WarmPoolList = self.json(self.request(Method::GET, POOLS).query(&pairs)).await?;
        Ok(list.items)
    }

    pub async fn get_warm_pool(&self, id: &str) -> Result<WarmPool, Error> {
        self.get(&format!("{POOLS}/{}", segment(id))).await
    }

    pub async fn update_warm_pool(&self, id: &str, change: &UpdateWarmPool) -> Result<WarmPool, Error> {
        self.json(self.request(Method::PATCH, &format!("{POOLS}/{}", segment(id))).json(change)).await
    }

    /// Asks for the pool's end; its unclaimed machines go, checked-out sandboxes stay.
    pub async fn delete_warm_pool(&self, id: &str) -> Result<WarmPool, Error> {
        self.json(self.request(Method::DELETE, &format!("{POOLS}/{}", segment(id)))).await
    }

    pub async fn enable_warm_pool(&self, id: &str) -> Result<WarmPool, Error> {
        self.act(&format!("{POOLS}/{}/enable", segment(id))).await
    }

    pub async fn disable_warm_pool(&self, id: &str) -> Result<WarmPool, Error> {
        self.act(&format!("{POOLS}/{}/disable", segment(id))).await
    }

    pub async fn drain_warm_pool(&self, id: &str) -> Result<WarmPool, Error> {
        self.act(&format!("{POOLS}/{}/drain", segment(id))).await
    }

    /// Answers after a controller pass that began after the call.
    pub async fn reconcile_warm_pool(&self, id: &str) -> Result<WarmPool, Error> {
        self.act(&format!("{POOLS}/{}/reconcile", segment(id))).await
    }

    pub async fn warm_pool_status(&self, id: &str) -> Result<PoolCounts, Error> {
        self.get(&format!("{POOLS}/{}/status", segment(id))).await
    }

    /// Why the pool is as it is.
    pub async fn explain_warm_pool(&self, id: &str) -> Result<PoolExplanation, Error> {
        self.get(&format!("{POOLS}/{}/explain", segment(id))).await
    }
}
