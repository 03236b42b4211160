//! What an operator decides.

use nullspace_domain::limits::Limits;
use std::path::PathBuf;
use std::time::Duration;

/// What the engine is told. The listeners' own settings are in `serve`.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    pub data_dir: PathBuf,
    /// The first tenant's slug.
    pub namespace: String,
    /// Valid at every start; none makes a key at the first one.
    pub bootstrap_key: Option<String>,
    pub limits: Limits,
    /// Builds that run at once; more wait. Each takes a machine's memory and most of a core.
    pub builds_at_once: usize,
    /// Cold creates that start at once; more wait. More at once only makes each slower.
    pub cold_starts_at_once: usize,
    /// A sandbox that does not answer this long after its resume ends `error`.
    pub answer_within: Duration,
}

impl EngineConfig {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            namespace: "default".to_owned(),
            bootstrap_key: None,
            limits: Limits::default(),
            builds_at_once: 2,
            cold_starts_at_once: 4,
            answer_within: Duration::from_secs(2),
        }
    }
}

/// How long an Idempotency-Key is remembered.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long a deleted pool can still be looked at.
pub const DELETED_POOL_KEPT: Duration = Duration::from_secs(24 * 3600);
/// A machine is gone 5 s after it was told to end, or its host is asked again later.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Longest a sandbox may be asked to live at once; it can be prolonged.
pub const SANDBOX_TIMEOUT_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
