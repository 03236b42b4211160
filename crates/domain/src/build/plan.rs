//! The published `build_plan` of a request (spec templates §5.8). Reads nothing but the request: a plan
//! needs no registry.

use super::definition::{Definition, Source};
use super::shell;
use super::step::{CopyItem, Step};
use serde_json::{Map, Value, json};

/// What the build would do.
pub fn plan_json(definition: &Definition) -> Value {
    let steps = definition.steps();
    let mut build_steps: Vec<Value> =
        definition.build_envs.iter().map(|(name, value)| json!({"Env": {"name": name, "value": value}})).collect();
    build_steps.extend(steps.iter().flat_map(build_step));
    let run_steps: Vec<String> = steps.iter().filter_map(shell::command).collect();
    let assignments: Vec<_> =
        definition.runtime.default_envs.iter().map(|(name, value)| json!([name, value])).collect();
    let mut plan = Map::new();
    plan.insert("base_template".into(), base(&definition.source).into());
    plan.insert("run_steps".into(), run_steps.into());
    plan.insert("build_steps".into(), build_steps.into());
    plan.insert("build_envs".into(), json!(definition.build_envs));
    plan.insert("env_assignments".into(), assignments.into());
    plan.insert("ignored_instructions".into(), json!([]));
    let runtime = &definition.runtime;
    let mut optional = |key: &str, value: Option<Value>| value.map(|value| plan.insert(key.to_owned(), value));
    optional("start_cmd", runtime.start_cmd.as_deref().map(Value::from));
    optional("default_user", runtime.default_user.as_deref().map(Value::from));
    optional("default_workdir", runtime.default_workdir.as_deref().map(Value::from));
    optional("readiness", runtime.readiness.as_ref().map(|readiness| json!(readiness)));
    Value::Object(plan)
}

/// One entry a thing to do, each with a single key.
fn build_step(step: &Step) -> Vec<Value> {
    match step {
        Step::Copy(item) => vec![copy(item)],
        Step::CopyItems { items } => items.iter().map(copy).collect(),
        Step::Workdir { path } => vec![json!({"Workdir": path})],
        Step::User { user } => vec![json!({"User": user})],
        Step::SkipCache => vec![json!({"SkipCache": true})],
        other => shell::command(other).map(|command| json!({"Run": command})).into_iter().collect(),
    }
}

fn copy(item: &CopyItem) -> Value {
    json!({"Copy": item})
}

/// The base image; of a Dockerfile, that of its last stage.
fn base(source: &Source) -> String {
    match source {
        Source::Declarative { base_image, .. } => base_image.clone(),
        Source::Dockerfile { text, .. } => {
            let from = |line: &str| {
                let mut words = line.split_whitespace();
                let is_from = words.next()?.eq_ignore_ascii_case("from");
                is_from.then(|| words.find(|word| !word.starts_with("--")).unwrap_or_default().to_owned())
            };
            text.lines().filter_map(from).next_back().unwrap_or_default()
        }
    }
}
