//! Every bound of the control plane, each with its reason.

use std::time::Duration;

/// A waiting create is re-sent by published clients after 120 s of silence; stay well below
/// (spec warm-pools §5.1).
pub const CHECKOUT_WAIT_MAX: Duration = Duration::from_secs(30);

/// Memory a machine costs beyond its own: the VMM and its translation buffer.
pub const MEMORY_OVERHEAD_MB: u32 = 64;

/// Smallest memory a guest kernel and agent boot in.
pub const MEMORY_MB_MIN: u32 = 128;
/// Larger than any host this is meant for; stops absurd numbers at the door.
pub const MEMORY_MB_MAX: u32 = 1024 * 1024;
/// QEMU's `microvm` takes more, but nobody has tried it here.
pub const VCPUS_MAX: u32 = 64;
/// 1 TiB: an overlay is sparse, but its metadata is not.
pub const DISK_MB_MAX: u32 = 1024 * 1024;
/// The root file system and a little room.
pub const DISK_MB_MIN: u32 = 64;

/// Names people give: shown in lists and file names.
pub const NAME_MAX: usize = 128;
/// Labels and metadata are stored with every row and returned in every list.
pub const LABELS_MAX: usize = 64;
pub const LABEL_KEY_MAX: usize = 128;
pub const LABEL_VALUE_MAX: usize = 512;
pub const METADATA_BYTES_MAX: usize = 16 * 1024;
/// Environment variables reach the guest in one frame.
pub const ENVS_MAX: usize = 256;
pub const ENV_BYTES_MAX: usize = 64 * 1024;

/// Most ready members one pool may ask for.
pub const POOL_READY_MAX: u32 = 10_000;
/// Defaults of the published service (spec warm-pools §3.1).
pub const POOL_IDLE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(600);
pub const POOL_STALE_AFTER_DEFAULT: Duration = Duration::from_secs(900);

/// How soon a pool goes on letting go, when it had more to release than one tick may.
pub const RELEASE_PACE: Duration = Duration::from_secs(1);
/// How soon a pool asks again for a start while all hosts are starting others: a start takes longer.
pub const RETRY_BUSY: Duration = Duration::from_millis(250);
/// How soon a pool asks again when there was no room at all: room comes with reports, mostly.
pub const RETRY_FULL: Duration = Duration::from_secs(2);

/// Build steps: a plan of more is a mistake or an attack.
pub const BUILD_STEPS_MAX: usize = 1000;
/// Files and directories of one build context.
pub const CONTEXT_FILES_MAX: usize = 50_000;
/// A path as the guest's kernel takes it.
pub const PATH_MAX: usize = 4096;
/// A step's command or a start command: it travels in one frame.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;
pub const DOCKERFILE_BYTES_MAX: usize = 1024 * 1024;
/// Packages of one install step: they become one command line.
pub const PACKAGES_MAX: usize = 500;
/// Secrets of one build.
pub const SECRETS_MAX: usize = 64;
/// Problems reported at once: enough to fix a request in one go, bounded whatever was sent.
pub const PROBLEMS_MAX: usize = 50;
/// Tags one build may be given.
pub const TAGS_MAX: usize = 32;
/// Longest readiness wait; emulated machines stretch it by four and stay below `start_deadline`.
pub const READINESS_TIMEOUT_MAX: Duration = Duration::from_secs(300);

/// How the planner paces itself. Kept apart from the constants so that a simulation can vary it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Machines one node starts at once: more only makes each slower.
    pub starts_per_node: u32,
    /// Members released by a drain in one tick: stopping a machine costs host work too.
    pub releases_per_tick: u32,
    /// Failures in a row after which a pool stops trying until it is told to.
    pub pool_failures_max: u32,
    /// A generation that has no ready member after this long is given up.
    pub rollout_progress_deadline: Duration,
    /// A start that has not ended after this long never will: longer than any readiness timeout, stretched.
    pub start_deadline: Duration,
    /// How long failed and expired members are counted.
    pub history: Duration,
    /// Switched off by configuration: pools are kept as they are.
    pub controller_enabled: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            starts_per_node: 2,
            releases_per_tick: 8,
            pool_failures_max: 3,
            rollout_progress_deadline: Duration::from_secs(600),
            start_deadline: Duration::from_secs(1800),
            history: Duration::from_secs(3600),
            controller_enabled: true,
        }
    }
}
