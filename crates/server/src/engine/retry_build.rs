//! The same request once more, as a build of its own.

use super::start_build::first_problem;
use super::{Caller, Engine, Error, lookup};
use crate::records::Build;
use crate::store::{self, builds};
use nullspace_domain::build::{Definition, Retry};

impl Engine {
    /// `body` is the published retry request. Credentials are not kept, so a build that needed them
    /// needs them again.
    pub async fn retry_build(&self, caller: &Caller, id: &str, body: &serde_json::Value) -> Result<Build, Error> {
        let retry = Retry::parse(body).map_err(first_problem)?;
        let (who, given) = (caller.clone(), id.to_owned());
        let load = move |connection: &rusqlite::Connection| {
            let build = lookup::build(connection, &who, &given)?;
            let kept = builds::build_request(connection, &build.id)?.unwrap_or_default();
            let definition: Definition =
                serde_json::from_str(&kept).map_err(|source| store::Error::Row { table: "builds", source })?;
            Ok::<_, Error>((build, definition))
        };
        let (build, mut definition) = self.inner.store.read(load).await?;
        if !build.status.is_terminal() {
            return Err(Error::Conflict { message: format!("build `{}` has not ended", build.id) });
        }
        // Also when the name was made up the first time.
        definition.name = Some(nullspace_domain::name::TemplateName::parse(&build.name)?);
        let request = definition.retry(retry).map_err(first_problem)?;
        self.start_build_request(caller, request, Some(build.id)).await
    }
}
