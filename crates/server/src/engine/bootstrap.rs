//! The first tenant, its key, and the builtin templates: there before anybody asks.

use super::{Engine, Error};
use crate::clock;
use crate::records::template::SYSTEM_NAMESPACE;
use crate::records::{KeyInfo, Template, Tenant};
use crate::store::{templates, tenants};
use nullspace_domain::name::NamespaceSlug;
use nullspace_domain::{KeyId, TemplateId, TenantId};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Builtin templates and what they are.
const BUILTINS: [(&str, &str); 2] =
    [("base", "A small system with a shell"), ("python", "Python with pip, on a small system")];

impl Engine {
    pub(super) async fn bootstrap(&self) -> Result<(), Error> {
        let slug = NamespaceSlug::parse_own("namespace", &self.inner.config.namespace)?.to_string();
        let now = self.now();
        let first = Tenant {
            id: TenantId::from_body(&self.inner.entropy.body()),
            slug,
            created_at: now,
            instances_max: None,
            memory_mb_max: None,
        };
        let (secret, is_new) = match &self.inner.config.bootstrap_key {
            Some(secret) => (secret.clone(), false),
            None => (new_secret()?, true),
        };
        let key_id = KeyId::from_body(&self.inner.entropy.body());
        let hash = super::authenticate::hash(&secret);
        let builtin_ids = BUILTINS.map(|_| TemplateId::from_body(&self.inner.entropy.body()));
        let made = self.inner.store.write_durable(move |tx| {
            for ((name, description), id) in BUILTINS.into_iter().zip(builtin_ids) {
                let template = Template {
                    id,
                    tenant: None,
                    namespace: SYSTEM_NAMESPACE.to_owned(),
                    name: name.to_owned(),
                    description: description.to_owned(),
                    created_at: now,
                    deleted_at: None,
                };
                // Taken when it is there already.
                let _new = templates::template_insert(tx, &template)?;
            }
            let existing =
                tenants::tenants(tx)?.into_iter().min_by_key(|tenant| (tenant.created_at, tenant.slug.clone()));
            let is_first_start = existing.is_none();
            let tenant = match existing {
                Some(existing) => existing,
                None => {
                    tenants::tenant_insert(tx, &first)?;
                    first
                }
            };
            if is_new && !is_first_start {
                return Ok::<_, Error>(None);
            }
            match tenants::key_by_hash(tx, &hash)? {
                // A key given at every start is valid at every start.
                Some(mut known) if known.revoked_at.is_some() => {
                    known.revoked_at = None;
                    tenants::key_update(tx, &known)?;
                }
                Some(_) => {}
                None => {
                    let key = KeyInfo {
                        id: key_id,
                        tenant: tenant.id,
                        tenant_slug: tenant.slug,
                        name: "bootstrap".to_owned(),
                        admin: true,
                        created_at: now,
                        revoked_at: None,
                    };
                    tenants::key_insert(tx, &key, &hash)?;
                }
            }
            Ok(is_new.then_some(secret))
        });
        if let Some(secret) = made.await? {
            let path = self.inner.config.data_dir.join("api-key");
            write_private(&path, &secret)
                .map_err(|error| Error::internal(format!("write `{}`", path.display()), error))?;
            tracing::info!(path = %path.display(), "made the first API key; it is in `{}`", path.display());
        }
        Ok(())
    }
}

/// A key nobody can guess, in the shape that clients document.
pub(super) fn new_secret() -> Result<String, Error> {
    let secret = clock::secret().map_err(|error| Error::internal("make a key", error))?;
    Ok(format!("ns_live_{secret}"))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}
