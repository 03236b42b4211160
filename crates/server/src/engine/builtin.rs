//! Builtin templates are built when somebody first uses one, from what images can be had.

use super::start_build::Owner;
use super::{Caller, Engine, Error, lookup};
use crate::records::{BuildStatus, Template};
use crate::store::{builds, templates};
use nullspace_domain::build::BuildRequest;
use nullspace_domain::template_ref::TemplateRef;
use nullspace_node::api::{BuildBase, ImageSource};
use rusqlite::Connection;
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// What a short image name stands for, and back.
const DEFAULT_REGISTRY: &str = "docker.io/library/";

/// Images a builtin can be made of, best first, and what to bootstrap when there is none.
fn images_for(name: &str) -> (&'static [&'static str], &'static str) {
    match name {
        "python" => (&["python"], "python:3.11"),
        _ => (&["debian", "ubuntu", "busybox"], "busybox"),
    }
}

impl Engine {
    /// Sees to it that a ref to a builtin means something.
    pub(super) async fn build_builtin_meant(&self, caller: &Caller, reference: &TemplateRef) -> Result<(), Error> {
        let (who, what) = (caller.clone(), reference.clone());
        let find = move |connection: &Connection| {
            let template = lookup::template(connection, &who, &what)?;
            let is_ready = lookup::ready_build(connection, &template, &what)?.is_some();
            Ok((template, is_ready))
        };
        match self.inner.store.read(find).await {
            Ok((template, false)) if template.is_builtin() => self.build_builtin(&template).await,
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Builds it, unless somebody has meanwhile.
    pub(super) async fn build_builtin(&self, template: &Template) -> Result<(), Error> {
        let _one_at_a_time = self.inner.builtins.lock().await;
        let id = template.id.clone();
        let meant = move |connection: &Connection| Ok::<_, Error>(templates::build_meant(connection, &id, None)?);
        if self.inner.store.read(meant).await?.is_some() {
            // A qualifier that it does not have is not helped by another build.
            return Ok(());
        }
        let image = self.image_for(&template.name).await?;
        tracing::info!(template = %template.name, "building builtin template `{}` from `{image}`", template.name);
        let request = serde_json::json!({
            "name": template.name,
            "tags": ["default", "latest"],
            "base_image": image,
            "steps": [],
        });
        let request = BuildRequest::parse(&request).map_err(super::start_build::first_problem)?;
        let base = BuildBase::Image { reference: image, auth: None };
        let build = self.begin_build(Owner::system(), request.definition, base, BTreeMap::new(), None).await?;
        self.build_ended(&build.id).await;
        let id = build.id.clone();
        let read = move |connection: &Connection| Ok::<_, Error>(builds::build(connection, &id)?);
        match self.inner.store.read(read).await? {
            Some(build) if build.status == BuildStatus::Ready => Ok(()),
            ended => {
                let detail = ended.and_then(|build| build.failure).map(|failure| failure.message);
                let detail = detail.unwrap_or_else(|| "it was cancelled".to_owned());
                Err(Error::StartFailed { detail: format!("builtin template `{}`: {detail}", template.name) })
            }
        }
    }

    /// One that is in the store, else one made of the distribution's packages.
    async fn image_for(&self, name: &str) -> Result<String, Error> {
        let (wanted, bootstrap) = images_for(name);
        let mut stored: Vec<_> = self.inner.node.images().await.into_iter().map(|image| image.name).collect();
        stored.sort();
        for wanted in wanted {
            let is_wanted = |image: &&String| {
                let short = image.strip_prefix(DEFAULT_REGISTRY).unwrap_or(image);
                short.split_once(':').map_or(short, |(repository, _)| repository) == *wanted
            };
            if let Some(image) = stored.iter().rev().find(is_wanted) {
                return Ok(image.clone());
            }
        }
        // Nobody looks at the progress; the channel only has to be there.
        let (progress, mut seen) = mpsc::channel(16);
        self.spawn(async move { while seen.recv().await.is_some() {} });
        let source = ImageSource::Bootstrap(bootstrap.to_owned());
        let made = self.inner.node.add_image(bootstrap, source, progress).await;
        made.map(|image| image.name)
            .map_err(|error| Error::ImageFailed { name: bootstrap.to_owned(), detail: error.to_string() })
    }
}
