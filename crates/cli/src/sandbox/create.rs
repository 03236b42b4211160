//! `sandbox create`.
//!
//! Safe to repeat: every attempt carries the same Idempotency-Key, so the server makes one sandbox at most.

use super::Action;
use crate::failure::Failure;
use crate::parse;
use crate::warm_pool::Mode;
use clap::{Args, ValueEnum};
use nullspace_api::client::Error;
use nullspace_api::sandboxes::{CreateSandbox, Lifecycle, OnTimeout, Sandbox, WarmPoolRequest};
use nullspace_api::{Client, ErrorCode, Object};
use std::time::Duration;

/// With the delays below about four minutes, longer than any create may take.
const ATTEMPTS: u32 = 30;
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Create {
    /// The template: a name, `name:tag`, `namespace/name:tag` or an id.
    #[arg(long, value_name = "REF", default_value = "base")]
    template: String,
    /// Restore this snapshot instead.
    #[arg(long, value_name = "ID")]
    snapshot_id: Option<String>,
    /// Take a ready machine of this pool.
    #[arg(long, value_name = "ID", required_if_eq_any = [("warm_pool_mode", "prefer"), ("warm_pool_mode", "require")])]
    warm_pool: Option<String>,
    /// Start cold where none is ready, refuse, or do not ask the pool.
    #[arg(long)]
    warm_pool_mode: Option<Mode>,
    /// Milliseconds to wait for a ready machine.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=30_000))]
    warm_pool_wait: Option<u64>,
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    vcpus: u32,
    /// Memory, in MB.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    memory: u32,
    /// Disk, in MB.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    disk: Option<u32>,
    /// Seconds until the sandbox ends.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    timeout: u64,
    /// The directory commands start in.
    #[arg(long)]
    cwd: Option<String>,
    #[arg(long, value_name = "JSON", value_parser = parse::object)]
    metadata_json: Option<Object>,
    /// May be repeated; wins over `--metadata-json`.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse::pair)]
    metadata: Vec<(String, String)>,
    /// An environment variable of every command; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse::pair)]
    env: Vec<(String, String)>,
    #[arg(long, value_name = "JSON", value_parser = parse::object)]
    env_json: Option<Object>,
    #[arg(long, value_name = "JSON", value_parser = parse::object)]
    network_json: Option<Object>,
    /// Let the sandbox reach the internet; this is the default.
    #[arg(long, overrides_with = "no_internet_access")]
    internet_access: bool,
    /// Cut the sandbox off from the internet.
    #[arg(long)]
    no_internet_access: bool,
    /// The same key gives the same sandbox; made up when absent.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[arg(long)]
    on_timeout: Option<AtTimeout>,
    #[arg(long)]
    timeout_action: Option<Action>,
    /// Wake the sandbox when it is used.
    #[arg(long, overrides_with = "no_auto_resume")]
    auto_resume: bool,
    #[arg(long)]
    no_auto_resume: bool,
    /// `ref=…,mount=…[,subpath=…][,ro=true]`; may be repeated.
    #[arg(long, value_name = "VOLUME", value_parser = volume)]
    volume: Vec<Object>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum AtTimeout {
    Destroy,
    Pause,
}

impl Create {
    pub async fn run(self, client: &Client) -> Result<Sandbox, Failure> {
        let key = self.idempotency_key.clone().unwrap_or_else(|| format!("cli-{}", ulid::Ulid::generate()));
        let request = self.request()?;
        let mut delay = FIRST_DELAY;
        for _ in 1..ATTEMPTS {
            match client.create_sandbox(&request, Some(&key)).await {
                Err(error) if unfinished(&error) => tokio::time::sleep(delay).await,
                other => return Ok(other?),
            }
            delay = (delay * 2).min(LONGEST_DELAY);
        }
        Ok(client.create_sandbox(&request, Some(&key)).await?)
    }

    fn request(self) -> Result<CreateSandbox, Failure> {
        if self.warm_pool_wait.is_some() && self.warm_pool.is_none() && self.warm_pool_mode != Some(Mode::Bypass) {
            return Err(Failure::usage("--warm-pool-wait", "needs --warm-pool"));
        }
        let warm_pool = WarmPoolRequest {
            id: self.warm_pool,
            mode: self.warm_pool_mode.map(Into::into),
            wait_ms: self.warm_pool_wait,
        };
        let lifecycle = self.on_timeout.map(|action| Lifecycle {
            on_timeout: Some(match action {
                AtTimeout::Destroy => OnTimeout::Destroy,
                AtTimeout::Pause => OnTimeout::Pause,
            }),
        });
        // A snapshot brings its own template, size, environment and directory.
        let from_template = self.snapshot_id.is_none();
        let request = CreateSandbox {
            timeout_ms: Some(self.timeout * 1000),
            metadata: parse::merged(self.metadata_json, &self.metadata),
            network: self.network_json,
            volumes: (!self.volume.is_empty()).then_some(self.volume),
            auto_resume: (self.auto_resume && !self.no_auto_resume).then_some(true),
            timeout_action: self.timeout_action.map(Into::into),
            lifecycle,
            warm_pool: Some(warm_pool).filter(|asked| *asked != WarmPoolRequest::default()),
            snapshot_id: self.snapshot_id,
            ..CreateSandbox::default()
        };
        let envs = parse::text_map("--env-json", self.env_json, &self.env)?;
        if !from_template {
            return Ok(request);
        }
        Ok(CreateSandbox {
            template: Some(self.template),
            vcpus: Some(self.vcpus),
            memory_mb: Some(self.memory),
            disk_mb: self.disk,
            envs,
            internet_access: Some(!self.no_internet_access),
            cwd: self.cwd,
            ..request
        })
    }
}

/// Whether the same request may find its sandbox later. A connection that was refused never began.
fn unfinished(error: &Error) -> bool {
    match error {
        Error::Api { body, .. } => {
            matches!(body.code, ErrorCode::TransitionInProgress | ErrorCode::TransitionRecoveryRequired)
        }
        Error::Transport { source, .. } => !source.is_connect() && !source.is_builder(),
        _ => false,
    }
}

fn volume(text: &str) -> Result<Object, String> {
    let mut volume = Object::new();
    volume.insert("read_only".to_owned(), false.into());
    for part in text.split(',') {
        let (key, value) = parse::pair(part)?;
        match key.as_str() {
            "ref" => volume.insert("ref".to_owned(), value.into()),
            "mount" => volume.insert("mount_path".to_owned(), value.into()),
            "subpath" => volume.insert("subpath".to_owned(), value.into()),
            "ro" => volume.insert("read_only".to_owned(), (value == "true").into()),
            other => return Err(format!("`{other}` is none of ref, mount, subpath, ro")),
        };
    }
    match ["ref", "mount_path"].iter().find(|key| !volume.contains_key(**key)) {
        Some(missing) => Err(format!("`{}` is missing", missing.trim_end_matches("_path"))),
        None => Ok(volume),
    }
}
