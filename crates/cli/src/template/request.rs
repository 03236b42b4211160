//! From flags to the body of a build request, and the context files that go with it.

use super::context::{self, Entry, Ignore};
use super::flags::Flags;
use super::steps::{Copy, Step, Steps};
use crate::failure::Failure;
use crate::parse;
use nullspace_api::build_request::{
    BuildConfig, BuildContext, BuildRequest, BuildSecret, BuildSecretSource, EntryType, Preflight, Readiness,
    RegistryAuth, RuntimeConfig, SecretJson,
};
use nullspace_api::builds::BuildBackend;
use nullspace_api::{Client, Object, Secret};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A request without its files, and the files.
pub struct Prepared {
    request: BuildRequest,
    entries: Vec<Entry>,
}

impl Prepared {
    /// The bytes of every file inside: for requests that upload nothing.
    pub fn inline(&self) -> Result<BuildRequest, Failure> {
        Ok(self.with_files(self.entries.iter().map(Entry::inline).collect::<Result<_, _>>()?))
    }

    /// The files named only.
    pub fn listed(&self) -> BuildRequest {
        self.with_files(self.entries.iter().map(Entry::bare).collect())
    }

    /// Uploads what the server does not have.
    pub async fn uploaded(&self, client: &Client) -> Result<BuildRequest, Failure> {
        if self.entries.is_empty() {
            return Ok(self.request.clone());
        }
        let files = self.entries.iter().map(Entry::descriptor).collect::<Result<_, _>>()?;
        let answer = client.preflight_blobs(&Preflight { files }).await?;
        let local: BTreeMap<&str, &Entry> = self.entries.iter().map(|entry| (entry.path.as_str(), entry)).collect();
        let mut sent = BTreeSet::new();
        let mut placed = Vec::new();
        for result in answer.files {
            let Some(entry) = local.get(result.path.as_str()) else { continue };
            let mut file = entry.bare();
            if let (EntryType::File, Some(blob)) = (result.entry_type, &result.blob_id) {
                if result.missing && sent.insert(blob.clone()) {
                    client.upload_blob(blob, entry.read()?).await?;
                }
                file.blob_id = Some(blob.clone());
            }
            placed.push(file);
        }
        Ok(self.with_files(placed))
    }

    fn with_files(&self, files: Vec<nullspace_api::build_request::ContextFile>) -> BuildRequest {
        let build_context = (!files.is_empty()).then_some(BuildContext { files });
        BuildRequest { build_context, ..self.request.clone() }
    }
}

impl Flags {
    pub fn prepare(&self) -> Result<Prepared, Failure> {
        let steps = Steps::read(&self.ordered)?;
        let base_image_auth = self.auth()?;
        let secrets = secret_flags(&self.build_secret, &self.build_secret_env, &self.build_secret_file)?;
        let runtime = RuntimeConfig {
            default_user: steps.user.clone(),
            default_workdir: steps.workdir.clone(),
            default_envs: envs("--set-runtime-env", &self.ordered.of("set-runtime-env"))?,
            readiness: self.readiness()?,
        };
        let request = BuildRequest {
            name: self.name.clone(),
            tags: Some(self.ordered.of("tag")).filter(|tags| !tags.is_empty()),
            build_envs: envs("--set-build-env", &self.ordered.of("set-build-env"))?,
            start_cmd: self.start_cmd.as_deref().map(parse::text_or_file).transpose()?,
            runtime_config: Some(runtime).filter(|runtime| *runtime != RuntimeConfig::default()),
            base_image_auth,
            build_secrets: Some(secrets).filter(|secrets| !secrets.is_empty()),
            build_config: Some(BuildConfig {
                vcpus: Some(self.cpu_count),
                memory_mib: Some(self.memory_mb),
                internet_access: self.no_internet_access.then_some(false),
                disk_mb: None,
            }),
            build_backend: self.backend.map(Into::into),
            skip_cache: self.skip_cache.then_some(true),
            ..BuildRequest::default()
        };
        match self.dockerfile()? {
            Some((text, path)) => self.with_dockerfile(request, text, path),
            None => self.with_steps(request, &steps),
        }
    }

    fn with_dockerfile(&self, request: BuildRequest, text: String, path: Option<PathBuf>) -> Result<Prepared, Failure> {
        if request.build_backend == Some(BuildBackend::Native) {
            return Err(Failure::usage("--backend", "a Dockerfile is built by `buildkit`, not `native`"));
        }
        let beside = self.from_dockerfile.as_ref().and(path.as_deref()).and_then(Path::parent);
        let entries = match self.file_context.as_deref().or(beside) {
            None => Vec::new(),
            Some(root) => context::dockerfile(root, path.as_deref(), &self.ordered.of("file-ignore"))?,
        };
        Ok(Prepared { request: BuildRequest { dockerfile: Some(text), ..request }, entries })
    }

    fn with_steps(&self, request: BuildRequest, steps: &Steps) -> Result<Prepared, Failure> {
        let mut entries = Vec::new();
        let numbered = numbered(steps, self.file_context.as_deref(), &self.ordered.of("file-ignore"), &mut entries)?;
        let request = BuildRequest { base_image: Some(self.image()?), steps: Some(numbered), ..request };
        Ok(Prepared { request, entries })
    }

    fn dockerfile(&self) -> Result<Option<(String, Option<PathBuf>)>, Failure> {
        if let Some(path) = &self.from_dockerfile {
            let failed = |source| Failure::File { action: "read", path: path.clone(), source };
            let path = std::fs::canonicalize(path).map_err(failed)?;
            return Ok(Some((std::fs::read_to_string(&path).map_err(failed)?, Some(path))));
        }
        let Some(content) = &self.from_dockerfile_content else { return Ok(None) };
        Ok(Some((parse::text_or_file(content)?, self.dockerfile_path_hint.clone())))
    }

    fn image(&self) -> Result<String, Failure> {
        if self.image_variant.is_some() && self.from_python_image.is_none() && self.from_node_image.is_none() {
            return Err(Failure::usage("--image-variant", "is for Python and Node images"));
        }
        let variant = self.image_variant.as_deref().map(|variant| format!("-{variant}")).unwrap_or_default();
        let named = [
            self.from_base_image.clone(),
            self.from_image.clone(),
            self.from_ubuntu_image.as_ref().map(|version| format!("ubuntu:{version}")),
            self.from_debian_image.as_ref().map(|tag| format!("debian:{tag}")),
            self.from_python_image.as_ref().map(|version| format!("python:{version}{variant}")),
            self.from_node_image.as_ref().map(|version| format!("node:{version}{variant}")),
            self.from_bun_image.as_ref().map(|version| format!("oven/bun:{version}")),
            self.from_template.as_deref().map(template_image),
        ];
        named.into_iter().flatten().next().ok_or_else(|| Failure::usage("--from-image", "choose what to start from"))
    }

    fn auth(&self) -> Result<Option<RegistryAuth>, Failure> {
        let basic = self.registry_username.clone().zip(self.registry_password.clone());
        let google = self.gcp_service_account_json.as_deref().map(parse::text_or_file).transpose()?;
        let amazon =
            self.aws_access_key_id.clone().zip(self.aws_secret_access_key.clone()).zip(self.aws_region.clone());
        match (basic, google, amazon) {
            (None, None, None) => Ok(None),
            (Some((username, password)), None, None) => {
                Ok(Some(RegistryAuth::Basic { username, password: Secret(password) }))
            }
            (None, Some(text), None) => {
                let account: Value = serde_json::from_str(&text)
                    .map_err(|error| Failure::usage("--gcp-service-account-json", format!("not JSON: {error}")))?;
                Ok(Some(RegistryAuth::GcpArtifactRegistry { service_account_json: SecretJson(account) }))
            }
            (None, None, Some(((access_key_id, secret), region))) => Ok(Some(RegistryAuth::AwsEcr {
                access_key_id,
                secret_access_key: Secret(secret),
                region,
                session_token: self.aws_session_token.clone().map(Secret),
            })),
            _ => Err(Failure::usage("--registry-username", "give credentials for one kind of registry only")),
        }
    }

    fn readiness(&self) -> Result<Option<Readiness>, Failure> {
        let timeout_secs = Some(self.ready_timeout_secs.unwrap_or(30));
        let interval_ms = Some(self.ready_interval_ms.unwrap_or(500));
        let startup_grace_secs = Some(self.ready_startup_grace_secs.unwrap_or(2));
        let command = |command| Readiness::Command { command, timeout_secs, interval_ms, startup_grace_secs };
        let probes = [
            self.ready_timeout_ms.map(|timeout_ms| Readiness::Timeout { timeout_ms }),
            self.ready_port.map(|port| Readiness::Tcp { port, timeout_secs, interval_ms, startup_grace_secs }),
            self.ready_cmd.clone().map(command),
            self.ready_file.as_deref().map(|path| command(format!("test -e {}", quoted(path)))),
            self.ready_process
                .as_deref()
                .map(|name| command(format!("ps -eo comm= | grep -Fx -- {} >/dev/null", quoted(name)))),
            self.ready_url.as_deref().map(guest_url).transpose()?.map(|(port, path)| Readiness::Http {
                port,
                path: Some(path),
                timeout_secs,
                interval_ms,
                startup_grace_secs,
            }),
        ];
        let tuned = self.ready_timeout_secs.or(self.ready_interval_ms).or(self.ready_startup_grace_secs).is_some();
        match probes.into_iter().flatten().next() {
            None if tuned => Err(Failure::usage("--ready-timeout-secs", "there is no probe to tune")),
            probe => Ok(probe),
        }
    }
}

/// Steps on the wire: copies name context paths, which count all steps.
fn numbered(
    steps: &Steps,
    root: Option<&Path>,
    patterns: &[String],
    entries: &mut Vec<Entry>,
) -> Result<Vec<Object>, Failure> {
    let root = root.map(context::existing).transpose()?;
    let ignore = Ignore::below(root.as_deref(), patterns, &[".dockerignore"])?;
    let mut place = |copy: &Copy, prefix: &str| -> Result<Object, Failure> {
        let force = copy.options.get("force_upload") == Some(&Value::Bool(true));
        let mut references = Vec::new();
        for (index, source) in copy.sources.iter().enumerate() {
            let local = root.as_deref().unwrap_or(Path::new(".")).join(source);
            let prefix = prefix.replace("{index}", &index.to_string());
            references.push(Value::from(context::source(&local, &prefix, &ignore, force, entries)?));
        }
        let mut placed = Object::new();
        placed.insert("sources".to_owned(), references.into());
        placed.insert("dst".to_owned(), copy.destination.clone().into());
        placed.extend(copy.options.clone());
        Ok(placed)
    };
    let mut numbered = Vec::new();
    for (number, step) in steps.steps.iter().enumerate() {
        let prefix = format!("builder-context/step-{number}/src-");
        numbered.push(match step {
            Step::Plain(step) => step.clone(),
            Step::Copy(copy) => {
                let mut placed = place(copy, &format!("{prefix}{{index}}"))?;
                placed.insert("action".to_owned(), "copy".into());
                placed
            }
            Step::CopyItems(items) => {
                let mut placed = Vec::new();
                for (position, item) in items.iter().enumerate() {
                    // A lone source of an item needs no index of its own.
                    let several = if item.sources.len() > 1 { "-{index}" } else { "" };
                    placed.push(Value::Object(place(item, &format!("{prefix}{position}{several}"))?));
                }
                [("action".to_owned(), "copy_items".into()), ("items".to_owned(), placed.into())].into_iter().collect()
            }
        });
    }
    Ok(numbered)
}

/// A bare name means a builtin template, because that is how published clients write it.
fn template_image(reference: &str) -> String {
    if reference.starts_with("tmpl_") || reference.contains('/') {
        return reference.to_owned();
    }
    match reference.split_once(':') {
        Some((_, qualifier)) if qualifier.starts_with("tb_") => reference.to_owned(),
        Some((name, tag)) => format!("nullspace/{name}:{tag}"),
        None => format!("nullspace/{reference}:latest"),
    }
}

fn guest_url(url: &str) -> Result<(u16, String), Failure> {
    let bad = || Failure::usage("--ready-url", "expected http://localhost:PORT/PATH");
    let rest = url.strip_prefix("http://").ok_or_else(bad)?;
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let (host, port) = authority.split_once(':').ok_or_else(bad)?;
    if !matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0") || path.contains(['?', '#']) {
        return Err(bad());
    }
    Ok((port.parse().map_err(|_| bad())?, format!("/{path}")))
}

/// A text as one word of a shell; plain words stay as they are.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

fn envs(flag: &str, values: &[String]) -> Result<Option<BTreeMap<String, String>>, Failure> {
    let mut envs = BTreeMap::new();
    for value in values {
        if value.starts_with(['@', '{']) {
            let object =
                parse::object(&parse::text_or_file(value)?).map_err(|problem| Failure::usage(flag, problem))?;
            envs.extend(parse::text_map(flag, Some(object), &[])?.unwrap_or_default());
        } else {
            let (key, value) = parse::pair(value).map_err(|problem| Failure::usage(flag, problem))?;
            envs.insert(key, value);
        }
    }
    Ok(Some(envs).filter(|envs| !envs.is_empty()))
}

/// Secrets of the three flags, read and checked.
pub fn secret_flags(values: &[String], envs: &[String], files: &[String]) -> Result<Vec<BuildSecret>, Failure> {
    let mut secrets = Vec::new();
    let split = |flag: &str, text: &str| parse::pair(text).map_err(|problem| Failure::usage(flag, problem));
    for text in values {
        let (id, value) = split("--build-secret", text)?;
        secrets.push(BuildSecret { id, value: Secret(value), source: Some(BuildSecretSource::Value) });
    }
    for text in envs {
        let (id, name) = text.split_once('=').unwrap_or((text, text));
        let value = std::env::var(name)
            .map_err(|_| Failure::usage("--build-secret-env", format!("the variable {name} is not set")))?;
        secrets.push(BuildSecret { id: id.to_owned(), value: Secret(value), source: Some(BuildSecretSource::Env) });
    }
    for text in files {
        let (id, path) = split("--build-secret-file", text)?;
        let value = parse::text_or_file(&format!("@{path}"))?;
        secrets.push(BuildSecret { id, value: Secret(value), source: Some(BuildSecretSource::File) });
    }
    let mut ids = BTreeSet::new();
    for BuildSecret { id, .. } in &secrets {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Err(Failure::usage(
                "--build-secret",
                format!("`{id}` may have letters, digits, `.`, `_`, `-` only"),
            ));
        }
        if !ids.insert(id) {
            return Err(Failure::usage("--build-secret", format!("`{id}` is given twice")));
        }
    }
    Ok(secrets)
}
