//! A warm pool: ready capacity that a tenant owns, sizes, pays for, rolls over, drains and deletes
//! (spec warm-pools §2, §7, §8).

use crate::instance::Instance;
use crate::world::Resolved;
use crate::{ArtifactId, BuildId, Resources, TemplateId, TenantId, Timestamp, WarmPoolId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A pool's row: what its owner wants, and what the controller remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmPool {
    pub id: WarmPoolId,
    pub tenant: TenantId,
    pub name: String,
    /// As the caller wrote it.
    pub template_ref: String,
    pub template: TemplateId,
    pub state: PoolState,
    pub min_ready: u32,
    pub max_ready: u32,
    pub resources: Resources,
    pub internet_access: bool,
    pub checkout_policy: Mode,
    pub version_policy: VersionPolicy,
    pub idle_timeout: Duration,
    pub stale_after: Duration,
    /// Which build the pool fills now.
    pub current: Generation,
    /// The one before, kept for the record and for a roll back after a failed rollout.
    pub previous: Option<Generation>,
    /// A generation whose members could not become ready within the deadline.
    pub abandoned: Option<u32>,
    /// Starts that failed since the last one that worked. `reconcile`, `enable`, `update` and a roll forget them.
    pub failures_in_a_row: u32,
    pub degraded: Option<Degraded>,
    /// When somebody last wanted more than was there.
    pub last_demand_at: Option<Timestamp>,
    pub labels: BTreeMap<String, String>,
    pub metadata: serde_json::Map<String, serde_json::Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub enabled_at: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    pub drain_requested_at: Option<Timestamp>,
    /// When the last machine of a draining or deleted pool was gone. Cleared by `enable`.
    #[serde(default)]
    pub drained_at: Option<Timestamp>,
    pub last_reconciled_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub revision: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolState {
    Enabled,
    Disabled,
    Draining,
    Deleted,
}

/// How a create uses a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Wait, then start cold.
    #[default]
    Prefer,
    /// Wait, then refuse.
    Require,
    /// Start cold.
    Bypass,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "snake_case")]
pub enum VersionPolicy {
    PinnedBuild,
    TrackTag { tag: String },
}

/// Which build a pool fills, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Counts from 1 and never goes back, also when a tag does.
    pub number: u32,
    pub template: TemplateId,
    pub build: BuildId,
    pub artifact: ArtifactId,
    pub started_at: Timestamp,
    /// When its first member became ready: older ready members are not handed out after this.
    pub cut_over_at: Option<Timestamp>,
}

/// Why a pool is not what it should be, with what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degraded {
    pub reason: DegradedReason,
    pub evidence: String,
    pub since: Timestamp,
}

impl WarmPool {
    /// Whether a member is what the pool makes now.
    ///
    /// Told by what it is and not by its generation's number: when a tag moves away and back, members
    /// of the first time are as good as new ones.
    pub fn makes(&self, instance: &Instance) -> bool {
        instance.build == self.current.build
            && instance.artifact == self.current.artifact
            && instance.resources == self.resources
            && instance.internet_access == self.internet_access
    }

    /// Members of generations below this one are not handed out: a later one has cut over.
    pub fn oldest_generation_served(&self) -> u32 {
        let cut_over = |generation: &&Generation| generation.cut_over_at.is_some();
        let newest = [Some(&self.current), self.previous.as_ref()].into_iter().flatten().find(cut_over);
        newest.map_or(0, |generation| generation.number)
    }

    /// Whether its generation still lets a ready member be handed out.
    pub fn serves(&self, instance: &Instance) -> bool {
        self.makes(instance)
            || (self.current.cut_over_at.is_none() && instance.generation >= self.oldest_generation_served())
    }

    /// Starts to make another build, and forgets what is known about the one before it.
    ///
    /// `previous` becomes the last generation that worked: an uninterrupted run of moves keeps it, so
    /// that there is something to fall back to.
    pub fn roll(&mut self, to: &Resolved, now: Timestamp) {
        let next = Generation {
            number: self.current.number + 1,
            template: self.template.clone(),
            build: to.build.clone(),
            artifact: to.artifact.clone(),
            started_at: now,
            cut_over_at: None,
        };
        let left = std::mem::replace(&mut self.current, next);
        let has_worked = |generation: &Generation| generation.cut_over_at.is_some();
        if has_worked(&left) || !self.previous.as_ref().is_some_and(has_worked) {
            self.previous = Some(left);
        }
        self.abandoned = None;
        self.failures_in_a_row = 0;
    }

    /// Makes members of another size from now on. A generation of its own: those of the old size serve
    /// until the first of the new one is ready.
    pub fn resize(&mut self, resources: Resources, now: Timestamp) {
        if self.resources != resources {
            self.resources = resources;
            let same = Resolved { build: self.current.build.clone(), artifact: self.current.artifact.clone() };
            self.roll(&same, now);
        }
    }

    /// When a ready member is too old to be handed out.
    pub fn stale_at(&self, ready_since: Timestamp) -> Timestamp {
        later(ready_since, self.stale_after)
    }
}

/// `after` a moment, or the end of time.
pub fn later(moment: Timestamp, after: Duration) -> Timestamp {
    let after = jiff::SignedDuration::try_from(after).unwrap_or(jiff::SignedDuration::MAX);
    moment.saturating_add(after).unwrap_or(Timestamp::MAX)
}

/// The closed list of the published contract (spec warm-pools §8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DegradedReason {
    NoEligibleHosts,
    ArtifactNotReady,
    ArtifactPrewarmFailed,
    QuotaExceeded,
    TemplateBuildUnavailable,
    ControllerDisabled,
    DrainActive,
}

/// The eight counts of spec warm-pools §8.2; always a recount of the rows, never kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub target: u32,
    pub ready: u32,
    pub warming: u32,
    pub claimed: u32,
    pub draining: u32,
    pub failed: u32,
    pub expired: u32,
    pub unavailable: u32,
}
