//! A build request, from the wire to the engine's own form.

use crate::engine::{BuildRequest, Content, ContextEntry};
use crate::http::nullspace::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nullspace_api::build_request as wire;
use nullspace_api::builds::BuildBackend;
use nullspace_domain::build::Step;
use nullspace_domain::limits::BUILD_STEPS_MAX;
use nullspace_domain::readiness::{Pace, Readiness};
use nullspace_domain::runtime::RuntimeConfig;
use nullspace_node::api::RegistryAuth;
use serde_json::Value;

/// What published clients send when the user said nothing.
const VCPUS_DEFAULT: u32 = 2;
const MEMORY_MIB_DEFAULT: u32 = 512;

/// Parses what this server can build; what it cannot is refused by name.
pub fn parse(body: wire::BuildRequest) -> Result<BuildRequest, Error> {
    refuse_what_does_not_exist(&body)?;
    let config = body.build_config.unwrap_or_default();
    let runtime = runtime(body.start_cmd, body.runtime_config.unwrap_or_default())?;
    Ok(BuildRequest {
        name: body.name,
        tags: body.tags,
        base_image: body.base_image,
        base_image_auth: body.base_image_auth.map(auth).transpose()?,
        dockerfile: body.dockerfile,
        backend: body.build_backend.map(|backend| backend_name(backend).to_owned()),
        steps: steps(body.steps.unwrap_or_default())?,
        context: body
            .build_context
            .unwrap_or_default()
            .files
            .into_iter()
            .enumerate()
            .map(|(index, file)| context_entry(index, file))
            .collect::<Result<_, _>>()?,
        build_envs: body.build_envs.unwrap_or_default(),
        runtime,
        vcpus: config.vcpus.unwrap_or(VCPUS_DEFAULT),
        memory_mb: config.memory_mib.unwrap_or(MEMORY_MIB_DEFAULT),
        disk_mb: config.disk_mb,
        internet_access: config.internet_access.unwrap_or(true),
        skip_cache: body.skip_cache.unwrap_or(false),
    })
}

pub fn backend_name(backend: BuildBackend) -> &'static str {
    match backend {
        BuildBackend::Native => "native",
        BuildBackend::Buildkit => "buildkit",
    }
}

fn refuse_what_does_not_exist(body: &wire::BuildRequest) -> Result<(), Error> {
    let absent = [
        ("build_args", body.build_args.as_ref().is_none_or(|args| args.is_empty())),
        ("build_target", body.build_target.is_none()),
        ("dockerfile_path", body.dockerfile_path.is_none()),
        ("registry_auth", body.registry_auth.as_ref().is_none_or(|logins| logins.is_empty())),
        ("build_secrets", body.build_secrets.as_ref().is_none_or(|secrets| secrets.is_empty())),
        ("claim_token", body.claim_token.is_none()),
    ];
    match absent.iter().find(|(_, absent)| !absent) {
        Some((field, _)) => Err(Error::not_implemented(*field)),
        None => Ok(()),
    }
}

fn steps(steps: Vec<nullspace_api::Object>) -> Result<Vec<Step>, Error> {
    if steps.len() > BUILD_STEPS_MAX {
        return Err(Error::invalid("steps", format!("`steps` has more than {BUILD_STEPS_MAX} entries")));
    }
    steps
        .into_iter()
        .enumerate()
        .map(|(index, mut step)| {
            step.retain(|_, value| !value.is_null());
            serde_json::from_value(Value::Object(step)).map_err(|error| {
                let field = format!("steps[{index}]");
                Error::invalid(field.clone(), format!("`{field}`: {error}"))
            })
        })
        .collect()
}

fn context_entry(index: usize, file: wire::ContextFile) -> Result<ContextEntry, Error> {
    let field = format!("build_context.files[{index}]");
    let mode = match &file.mode {
        Some(text) => octal(text).ok_or_else(|| {
            Error::invalid(
                format!("{field}.mode"),
                format!("`{field}.mode` is three or four octal digits, not `{text}`"),
            )
        })?,
        None => 0o644,
    };
    let content = match (file.entry_type, file.blob_id, file.content_base64) {
        (wire::EntryType::Dir, _, _) => Content::Directory,
        (wire::EntryType::File, Some(_), Some(_)) => {
            let message = format!("`{field}` has both `blob_id` and `content_base64`");
            return Err(Error::invalid(field, message));
        }
        (wire::EntryType::File, Some(blob), None) => Content::Blob(blob),
        (wire::EntryType::File, None, Some(text)) => {
            let bytes = STANDARD.decode(text).map_err(|error| {
                let field = format!("{field}.content_base64");
                Error::invalid(field.clone(), format!("`{field}` is not base64: {error}"))
            })?;
            Content::Inline(bytes.into())
        }
        (wire::EntryType::File, None, None) => Content::Missing,
    };
    Ok(ContextEntry { path: file.path, mode, content })
}

/// Three or four octal digits.
pub fn octal(text: &str) -> Option<u32> {
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    if digits { u32::from_str_radix(text, 8).ok() } else { None }
}

fn runtime(start_cmd: Option<String>, config: wire::RuntimeConfig) -> Result<RuntimeConfig, Error> {
    Ok(RuntimeConfig {
        start_cmd,
        readiness: config.readiness.map(readiness).transpose()?,
        default_envs: config.default_envs.unwrap_or_default(),
        default_user: config.default_user,
        default_workdir: config.default_workdir,
    })
}

fn readiness(probe: wire::Readiness) -> Result<Readiness, Error> {
    let usual = Pace::default();
    let pace = |timeout: Option<u64>, interval: Option<u64>, grace: Option<u64>| Pace {
        timeout_secs: timeout.unwrap_or(usual.timeout_secs),
        interval_ms: interval.unwrap_or(usual.interval_ms),
        startup_grace_secs: grace.unwrap_or(usual.startup_grace_secs),
    };
    let port = |port: u16| match port {
        0 => Err(Error::invalid("runtime_config.readiness.port", "`runtime_config.readiness.port` is 1 to 65535")),
        port => Ok(port),
    };
    Ok(match probe {
        wire::Readiness::Tcp { port: at, timeout_secs, interval_ms, startup_grace_secs } => {
            Readiness::Tcp { port: port(at)?, pace: pace(timeout_secs, interval_ms, startup_grace_secs) }
        }
        wire::Readiness::Http { port: at, path, timeout_secs, interval_ms, startup_grace_secs } => Readiness::Http {
            port: port(at)?,
            path: path.unwrap_or_else(|| "/".into()),
            pace: pace(timeout_secs, interval_ms, startup_grace_secs),
        },
        wire::Readiness::Command { command, timeout_secs, interval_ms, startup_grace_secs } => {
            Readiness::Command { command, pace: pace(timeout_secs, interval_ms, startup_grace_secs) }
        }
        wire::Readiness::Timeout { timeout_ms } => Readiness::Timeout { timeout_ms },
    })
}

/// The one kind of login the image store knows.
pub fn auth(auth: wire::RegistryAuth) -> Result<RegistryAuth, Error> {
    match auth {
        wire::RegistryAuth::Basic { username, password } => Ok(RegistryAuth { username, password: password.0 }),
        wire::RegistryAuth::GcpArtifactRegistry { .. } | wire::RegistryAuth::AwsEcr { .. } => {
            Err(Error::not_implemented("base_image_auth.kind"))
        }
    }
}
