//! Which requests a member made beforehand can satisfy (spec warm-pools §6).
//!
//! Clients send the full body with defaults, so "not specified" has to be recognised by value; the
//! dialect does that and lists what is not a default. Metadata, name and timeout never matter: they
//! are attached at checkout.

use crate::warm_pool::WarmPool;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Something in a create request that is not its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Special {
    Envs,
    Cwd,
    Volumes,
    Desktop,
    Network,
    /// `internet_access: false`.
    NoInternet,
    /// `timeout_action: hibernate`.
    TimeoutAction,
    /// `lifecycle.on_timeout: pause`.
    OnTimeout,
    AutoResume,
    /// A restore never uses a pool.
    SnapshotId,
}

impl Special {
    /// The field as the caller wrote it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Envs => "envs",
            Self::Cwd => "cwd",
            Self::Volumes => "volumes",
            Self::Desktop => "desktop",
            Self::Network => "network",
            Self::NoInternet => "internet_access",
            Self::TimeoutAction => "timeout_action",
            Self::OnTimeout => "lifecycle.on_timeout",
            Self::AutoResume => "auto_resume",
            Self::SnapshotId => "snapshot_id",
        }
    }

    /// Whether a member of this pool can have it all the same.
    fn fits(self, pool: &WarmPool) -> bool {
        match self {
            Self::Envs | Self::Cwd => binds_envs(pool),
            // The other way round is no obstacle: `true` is what a caller sends who said nothing, and
            // the pool's owner chose to cut it off. As with resources, the pool's setting is reported.
            Self::NoInternet => !pool.internet_access,
            Self::Volumes
            | Self::Desktop
            | Self::Network
            | Self::TimeoutAction
            | Self::OnTimeout
            | Self::AutoResume
            | Self::SnapshotId => false,
        }
    }
}

/// Whether the pool's owner opted in to `envs` and `cwd` being bound at checkout, with
/// `metadata.bind_envs: true`. The start command has run by then and does not see them, which is why
/// it is not the default.
pub fn binds_envs(pool: &WarmPool) -> bool {
    pool.metadata.get("bind_envs") == Some(&serde_json::Value::Bool(true))
}

/// The first thing in the request that a member of this pool cannot have.
pub(super) fn obstacle(pool: &WarmPool, specials: &BTreeSet<Special>) -> Option<Special> {
    specials.iter().copied().find(|special| !special.fits(pool))
}
