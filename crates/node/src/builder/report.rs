//! What a build says while it runs: messages and cache events, in the published words.
//!
//! A slow reader slows the build down; a reader that went away does not end it, because builds are
//! durable and can be re-attached to.

use crate::api::{BuildEvent, CacheEvent, EventKind, Level};
use tokio::sync::mpsc;

/// The published phases that a native build goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Cache,
    Preparing,
    VmCreate,
    Step,
    Finalize,
    Startup,
    Readiness,
    Snapshot,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Preparing => "preparing",
            Self::VmCreate => "vm_create",
            Self::Step => "step",
            Self::Finalize => "finalize",
            Self::Startup => "startup",
            Self::Readiness => "readiness",
            Self::Snapshot => "snapshot",
        }
    }
}

/// Which cache an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKind {
    Layer,
    FinalArtifact,
}

/// What the cache did. A miss and a bypass have their reason with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    Hit,
    Miss,
    Stored,
    WholeBuildSkipped,
    BehindBoundary,
}

/// Sends a build's events.
#[derive(Debug, Clone)]
pub struct Report {
    events: mpsc::Sender<BuildEvent>,
    step: Option<(u32, u32)>,
}

impl Report {
    pub fn new(events: mpsc::Sender<BuildEvent>) -> Self {
        Self { events, step: None }
    }

    /// The same report, about one step (1-based).
    #[must_use]
    pub fn step(&self, index: u32, total: u32) -> Self {
        Self { events: self.events.clone(), step: Some((index, total)) }
    }

    pub async fn say(&self, phase: Phase, message: impl Into<String>) {
        self.send(EventKind::Message, Level::Info, phase, message.into(), None).await;
    }

    pub async fn cache(&self, kind: CacheKind, status: CacheStatus, subject: &str) {
        let (what, kind) = match kind {
            CacheKind::Layer => ("layer", "layer"),
            CacheKind::FinalArtifact => ("artifact", "final_artifact"),
        };
        let (says, status, reason) = match status {
            CacheStatus::Hit => ("cached", "hit", None),
            CacheStatus::Miss => ("not cached", "miss", Some("missing_or_incompatible")),
            CacheStatus::Stored => ("stored", "stored", None),
            CacheStatus::WholeBuildSkipped => ("cache not used", "bypass", Some("whole_build_skip_cache")),
            CacheStatus::BehindBoundary => ("cache not used", "bypass", Some("builder_cache_boundary")),
        };
        let cache = CacheEvent { kind, status, reason, subject: subject.to_owned() };
        let message = format!("{what} {says}: {subject}");
        self.send(EventKind::Cache, Level::Info, Phase::Cache, message, Some(cache)).await;
    }

    async fn send(&self, kind: EventKind, level: Level, phase: Phase, message: String, cache: Option<CacheEvent>) {
        let event = BuildEvent {
            kind,
            level,
            message,
            phase: phase.word(),
            step_index: self.step.map(|(index, _)| index),
            total_steps: self.step.map(|(_, total)| total),
            cache,
        };
        // Nobody listens any more: the build goes on.
        let _ = self.events.send(event).await;
    }
}
