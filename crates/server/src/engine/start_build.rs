//! A build begins: checked, recorded, queued.

use super::blobs::{BlobId, upload_error};
use super::{Caller, Engine, Error, lookup};
use crate::records::template::SYSTEM_NAMESPACE;
use crate::records::{Build, BuildStatus, CacheSummary, SourceType, Template};
use crate::store::{builds, templates};
use nullspace_domain::build::{
    Backend, Base, BuildRequest, Content, Credentials, Definition, Problem, RegistryAuth, Source,
};
use nullspace_domain::resources::DISK_MB_DEFAULT;
use nullspace_domain::template_ref::TemplateRef;
use nullspace_domain::{BuildId, Resources, TemplateId, TenantId};
use nullspace_node::api::{self, BuildBase, BuildJob, ContextFile, FailurePhase};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Whose build it is; nobody's for a builtin.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub tenant: Option<TenantId>,
    pub namespace: String,
}

impl Owner {
    pub(super) fn system() -> Self {
        Self { tenant: None, namespace: SYSTEM_NAMESPACE.to_owned() }
    }
}

impl Engine {
    /// Answers as soon as it is recorded; `follow_build` tells the rest. It lives on when the caller
    /// goes away. `body` is the published request (spec templates §6).
    pub async fn start_build(&self, caller: &Caller, body: &serde_json::Value) -> Result<Build, Error> {
        let request = BuildRequest::parse(body).map_err(first_problem)?;
        self.start_build_request(caller, request, None).await
    }

    pub(super) async fn start_build_request(
        &self,
        caller: &Caller,
        request: BuildRequest,
        retry_of: Option<BuildId>,
    ) -> Result<Build, Error> {
        let BuildRequest { mut definition, credentials, warnings: _ } = request;
        refuse_what_does_not_exist(&definition, &credentials)?;
        let namespace = definition.namespace.as_ref().map_or(caller.namespace.as_str(), |given| given.as_str());
        if namespace != caller.namespace {
            return Err(Error::Forbidden { message: format!("namespace `{namespace}` is not yours") });
        }
        let context = self.gather_context(caller, &mut definition).await?;
        let owner = Owner { tenant: Some(caller.tenant.clone()), namespace: caller.namespace.clone() };
        let base = self.find_base(caller, &definition, &credentials).await?;
        self.begin_build(owner, definition, base, context, retry_of).await
    }

    /// Records a build and lets it run.
    pub(super) async fn begin_build(
        &self,
        owner: Owner,
        definition: Definition,
        base: BuildBase,
        context: BTreeMap<String, ContextFile>,
        retry_of: Option<BuildId>,
    ) -> Result<Build, Error> {
        let now = self.now();
        let id = BuildId::from_body(&self.inner.entropy.body());
        let name = definition.name.as_ref().map(ToString::to_string);
        let name = name.unwrap_or_else(|| format!("template-{}", &self.inner.entropy.body()[..10]));
        let new_template = TemplateId::from_body(&self.inner.entropy.body());
        let config = definition.config;
        let disk_mb = config.disk_mb.unwrap_or(DISK_MB_DEFAULT);
        let resources = Resources { vcpus: config.vcpus, memory_mb: config.memory_mib, disk_mb };
        let source_type = match base {
            BuildBase::Image { .. } => SourceType::Declarative,
            BuildBase::Artifact { .. } => SourceType::TemplateBase,
        };
        let mut build = Build {
            id: id.clone(),
            template: new_template,
            tenant: owner.tenant.clone(),
            namespace: owner.namespace.clone(),
            name,
            tags: definition.tags.iter().map(ToString::to_string).collect(),
            status: BuildStatus::Waiting,
            source_type,
            resources,
            disk_mb_asked: config.disk_mb,
            internet_access: config.internet_access,
            source_digest: definition.source_digest(),
            context_digest: definition.context_digest(|blob| BlobId::parse(blob).map(|blob| blob.sha256)),
            runtime: definition.runtime.clone(),
            artifact: None,
            failure: None,
            cache: CacheSummary::default(),
            created_at: now,
            updated_at: now,
            started_at: None,
            finished_at: None,
            cancel_requested_at: None,
            cancellation_reason: None,
            retry_of,
            sequence: 0,
        };
        let job = BuildJob {
            id: id.clone(),
            base,
            steps: definition.steps().to_vec(),
            build_envs: definition.build_envs.clone(),
            runtime: definition.runtime.clone(),
            resources,
            internet_access: config.internet_access,
            skip_cache: definition.skip_cache,
            context,
        };
        let kept = serde_json::to_string(&definition).expect("a definition holds nothing that JSON cannot");
        let insert = move |tx: &rusqlite::Transaction<'_>| {
            let template = match templates::template_named(tx, &build.namespace, &build.name)? {
                Some(template) => template,
                None => {
                    let template = Template {
                        id: build.template.clone(),
                        tenant: owner.tenant,
                        namespace: owner.namespace,
                        name: build.name.clone(),
                        description: String::new(),
                        created_at: now,
                        deleted_at: None,
                    };
                    templates::template_insert(tx, &template)?;
                    template
                }
            };
            build.template = template.id;
            build.sequence = builds::build_next_sequence(tx)?;
            builds::build_insert(tx, &build, &kept)?;
            super::run_build::append_start(tx, &build)?;
            Ok::<_, Error>(build)
        };
        let cancel = self.inner.builds.begin(&id);
        match self.inner.store.write_durable(insert).await {
            Ok(build) => {
                self.inner.builds.wrote(&id, 1);
                self.run_build(build.clone(), job, cancel);
                Ok(build)
            }
            Err(error) => {
                self.inner.builds.end(&id);
                Err(error)
            }
        }
    }

    /// Every context file as a blob on this host. Bytes that came inline are kept, so that the build
    /// can be retried.
    async fn gather_context(
        &self,
        caller: &Caller,
        definition: &mut Definition,
    ) -> Result<BTreeMap<String, ContextFile>, Error> {
        let mut files = BTreeMap::new();
        for entry in &mut definition.context {
            if let Content::Inline { bytes, .. } = &mut entry.content {
                let id = self.keep_inline(caller, std::mem::take(bytes)).await?;
                entry.content = Content::Blob { id: id.to_string() };
            }
            let file = match &entry.content {
                Content::Blob { id } => {
                    let missing =
                        || upload_error(format!("`{}` was not uploaded", entry.path), FailurePhase::Preflight);
                    let id = BlobId::parse(id).ok_or_else(missing)?;
                    if !self.has_blob(&caller.tenant, &id).await {
                        return Err(missing());
                    }
                    let source = Some(self.blob_path(&caller.tenant, &id));
                    ContextFile { is_dir: false, mode: entry.mode, source, sha256: Some(id.sha256) }
                }
                Content::Directory | Content::Inline { .. } => {
                    ContextFile { is_dir: true, mode: entry.mode, source: None, sha256: None }
                }
            };
            files.insert(entry.path.clone(), file);
        }
        Ok(files)
    }

    /// What the build starts from: a template of that ref if the caller can see one, else an image.
    async fn find_base(
        &self,
        caller: &Caller,
        definition: &Definition,
        credentials: &Credentials,
    ) -> Result<BuildBase, Error> {
        let Source::Declarative { base_image, .. } = &definition.source else {
            return Err(Error::NotImplemented { field: "dockerfile".to_owned() });
        };
        let image = |auth| BuildBase::Image { reference: base_image.clone(), auth };
        let (reference, is_certain) = match Base::of(base_image) {
            Base::Image => return Ok(image(login(credentials)?)),
            Base::Template(reference) => (reference, true),
            Base::TemplateOrImage(reference) => (reference, false),
        };
        if is_certain {
            self.build_builtin_meant(caller, &reference).await?;
        }
        let (who, what) = (caller.clone(), reference.clone());
        let find = move |connection: &Connection| base_artifact(connection, &who, &what, is_certain);
        match self.inner.store.read(find).await {
            Ok(id) => Ok(BuildBase::Artifact { id }),
            Err(Error::TemplateNotFound { .. }) if !is_certain => Ok(image(login(credentials)?)),
            Err(error) => Err(error),
        }
    }
}

fn base_artifact(
    connection: &Connection,
    caller: &Caller,
    reference: &TemplateRef,
    is_certain: bool,
) -> Result<nullspace_domain::ArtifactId, Error> {
    let unknown = || Error::TemplateNotFound { reference: reference.to_string() };
    let template = lookup::template(connection, caller, reference)?;
    // `python:3.11` is an image: a builtin is only meant by its full name.
    if template.is_builtin() && !is_certain {
        return Err(unknown());
    }
    let build = lookup::ready_build(connection, &template, reference)?;
    build.and_then(|build| build.artifact).ok_or_else(unknown)
}

/// What is asked for and cannot be done yet is refused before anything is made.
fn refuse_what_does_not_exist(definition: &Definition, credentials: &Credentials) -> Result<(), Error> {
    let missing = |field: &str| Err(Error::NotImplemented { field: field.to_owned() });
    if let Source::Dockerfile { .. } = definition.source {
        return missing("dockerfile");
    }
    if definition.backend == Backend::Buildkit {
        return missing("build_backend");
    }
    if definition.claim_token.is_some() {
        return missing("claim_token");
    }
    if !credentials.registry_auth.is_empty() {
        return missing("registry_auth");
    }
    if !credentials.build_secrets.is_empty() {
        return missing("build_secrets");
    }
    login(credentials).map(|_| ())
}

fn login(credentials: &Credentials) -> Result<Option<api::RegistryAuth>, Error> {
    match &credentials.base_image_auth {
        None => Ok(None),
        Some(RegistryAuth::Basic { username, password }) => {
            Ok(Some(api::RegistryAuth { username: username.clone(), password: password.reveal().to_owned() }))
        }
        Some(RegistryAuth::GcpArtifactRegistry { .. } | RegistryAuth::AwsEcr { .. }) => {
            Err(Error::NotImplemented { field: "base_image_auth.kind".to_owned() })
        }
    }
}

/// One answer for a request with one or more problems.
pub(super) fn first_problem(problems: Vec<Problem>) -> Error {
    let more = problems.len().saturating_sub(1);
    let Some(first) = problems.into_iter().next() else {
        return Error::invalid("body", "the request cannot be read");
    };
    let message = match more {
        0 => first.message,
        more => format!("{} (and {more} more problems)", first.message),
    };
    match first.code {
        "file_upload_error" => upload_error(message, FailurePhase::BlobUpload),
        _ => Error::InvalidRequest { field: first.field, message },
    }
}
