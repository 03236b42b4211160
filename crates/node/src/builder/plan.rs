//! A whole build, decided: every step's work, its key, and what it may do with the cache. Pure.

use super::environment::Defaults;
use super::error::Error;
use super::keys::Key;
use super::render::{self, describe};
use super::report::CacheStatus;
use super::work::Work;
use crate::api::BuildJob;
use nullspace_domain::runtime::RuntimeConfig;
use std::collections::BTreeMap;

/// What has to happen, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<PlannedStep>,
    /// What every step sees besides what its own command brings: the image's envs below the build's.
    pub envs: BTreeMap<String, String>,
    /// Where steps begin: made if the image does not have it.
    pub workdir: String,
    pub runtime: RuntimeConfig,
    /// Of the artifact that comes out.
    pub result: Key,
    /// Why an artifact made before must not be taken instead, if so.
    pub result_bypass: Option<CacheStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// 1-based.
    pub index: u32,
    pub title: String,
    pub work: Work,
    /// Of the disk after this step.
    pub key: Key,
    pub cache: CacheUse,
}

/// What a step may do with the layer cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// Take a layer, or leave one for the next build.
    Full,
    /// Leave one only: the caller wants this build fresh, and the next one to profit from it.
    StoreOnly,
    /// Behind a boundary no build ever takes a layer, so none is left.
    None,
}

/// Plans a build on a base with this disk identity.
pub fn plan(job: &BuildJob, base: Defaults, disk_identity: &str) -> Result<Plan, Error> {
    let envs = base.step_envs(&job.build_envs);
    let mut scope = base.scope();
    let workdir = scope.cwd.clone();
    let mut key = Key::base(disk_identity, job.resources.disk_mb, job.internet_access);
    let mut cache = if job.skip_cache { CacheUse::StoreOnly } else { CacheUse::Full };
    let mut steps = Vec::new();
    for (index, step) in (1..).zip(&job.steps) {
        let work = render::render(step, &mut scope, &job.context).map_err(|source| Error::Render { index, source })?;
        key = key.then(&work, &envs);
        if work == Work::CacheBoundary {
            cache = CacheUse::None;
        }
        steps.push(PlannedStep { index, title: describe(step), work, key: key.clone(), cache });
    }
    let runtime = base.runtime(&job.runtime);
    let result = key.artifact(&runtime);
    let result_bypass = if job.skip_cache {
        Some(CacheStatus::WholeBuildSkipped)
    } else {
        (cache == CacheUse::None).then_some(CacheStatus::BehindBoundary)
    };
    Ok(Plan { steps, envs, workdir, runtime, result, result_bypass })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::BuildBase;
    use nullspace_domain::build::Step;
    use nullspace_domain::{BuildId, Resources};

    fn run(command: &str) -> Step {
        Step::Run { command: command.to_owned(), user: None }
    }

    fn job(steps: Vec<Step>) -> BuildJob {
        BuildJob {
            id: BuildId::from_body("1"),
            base: BuildBase::Image { reference: "busybox".to_owned(), auth: None },
            steps,
            build_envs: BTreeMap::new(),
            runtime: RuntimeConfig::default(),
            resources: Resources { vcpus: 2, memory_mb: 512, disk_mb: 4096 },
            internet_access: true,
            skip_cache: false,
            context: BTreeMap::new(),
        }
    }

    fn planned(job: &BuildJob) -> Plan {
        plan(job, Defaults::default(), "sha256:1").unwrap()
    }

    #[test]
    fn a_changed_step_changes_its_key_and_all_after_it_and_none_before() {
        let (a, b) =
            (planned(&job(vec![run("1"), run("2"), run("3")])), planned(&job(vec![run("1"), run("x"), run("3")])));
        let equal: Vec<_> = a.steps.iter().zip(&b.steps).map(|(a, b)| a.key == b.key).collect();
        assert_eq!(equal, [true, false, false]);
        assert_ne!(a.result, b.result);
    }

    #[test]
    fn behind_a_boundary_nothing_comes_from_the_cache_or_goes_into_it() {
        let plan = planned(&job(vec![run("1"), Step::SkipCache, run("2")]));
        let uses: Vec<_> = plan.steps.iter().map(|step| step.cache).collect();
        assert_eq!(uses, [CacheUse::Full, CacheUse::None, CacheUse::None]);
        assert_eq!(plan.result_bypass, Some(CacheStatus::BehindBoundary));
    }

    #[test]
    fn a_build_without_cache_still_leaves_its_layers_for_the_next() {
        let fresh = planned(&BuildJob { skip_cache: true, ..job(vec![run("1")]) });
        assert_eq!(fresh.steps[0].cache, CacheUse::StoreOnly);
        assert_eq!(fresh.result_bypass, Some(CacheStatus::WholeBuildSkipped));
        assert_eq!(fresh.result, planned(&job(vec![run("1")])).result);
    }

    #[test]
    fn the_runtime_is_part_of_the_result_but_not_of_any_step() {
        let plain = job(vec![run("1")]);
        let started = BuildJob {
            runtime: RuntimeConfig { start_cmd: Some("serve".to_owned()), ..RuntimeConfig::default() },
            ..plain.clone()
        };
        let (a, b) = (planned(&plain), planned(&started));
        assert_eq!(a.steps[0].key, b.steps[0].key);
        assert_ne!(a.result, b.result);
    }
}
