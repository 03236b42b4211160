//! What happens to sandboxes after they are made.

use crate::house::{House, plain};
use nullspace_server::engine::{Error, SandboxFilter};
use nullspace_server::records::SandboxStatus;
use std::time::Duration;

#[tokio::test]
async fn a_killed_sandbox_takes_its_machine_with_it() {
    let house = House::open().await;
    house.template("py").await;
    let sandbox = house.engine.create_sandbox(&house.caller, plain("py")).await.unwrap();
    assert_eq!(house.node.holds().len(), 1);
    let killed = house.engine.kill_sandbox(&house.caller, sandbox.id.as_str()).await.unwrap();
    assert_eq!(killed.status, SandboxStatus::Destroyed);
    assert!(house.node.holds().is_empty());
    let again = house.engine.kill_sandbox(&house.caller, sandbox.id.as_str()).await.unwrap();
    assert_eq!(again.status, SandboxStatus::Destroyed);
}

#[tokio::test]
async fn a_sandbox_whose_time_is_over_is_destroyed_by_itself() {
    let house = House::open().await;
    house.template("py").await;
    let sandbox = house.engine.create_sandbox(&house.caller, plain("py")).await.unwrap();
    house.engine.set_timeout(&house.caller, sandbox.id.as_str(), Duration::from_millis(1)).await.unwrap();
    house.sandbox_until(sandbox.id.as_str(), |sandbox| sandbox.status == SandboxStatus::Destroyed).await;
}

#[tokio::test]
async fn a_machine_that_dies_ends_its_sandbox_in_error() {
    let house = House::open().await;
    house.template("py").await;
    let sandbox = house.engine.create_sandbox(&house.caller, plain("py")).await.unwrap();
    house.node.kill(&sandbox.instance, true);
    house.sandbox_until(sandbox.id.as_str(), |sandbox| sandbox.status == SandboxStatus::Error).await;
    match house.engine.open_guest(&house.caller, sandbox.id.as_str()).await {
        Err(Error::SandboxNotReady { status: SandboxStatus::Error, .. }) => {}
        _ => panic!("a dead sandbox cannot be talked to"),
    }
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_filtered() {
    let house = House::open().await;
    house.template("py").await;
    let mut made = Vec::new();
    for number in 0..5 {
        let mut request = plain("py");
        request.metadata.insert("number".to_owned(), number.into());
        made.push(house.engine.create_sandbox(&house.caller, request).await.unwrap().id);
    }
    made.reverse();
    for statuses in [Vec::new(), SandboxStatus::ALL.to_vec()] {
        let mut seen = Vec::new();
        let mut next_token = None;
        loop {
            let filter =
                SandboxFilter { limit: Some(2), next_token, statuses: statuses.clone(), ..SandboxFilter::default() };
            let page = house.engine.list_sandboxes(&house.caller, filter).await.unwrap();
            seen.extend(page.items.into_iter().map(|sandbox| sandbox.id));
            next_token = page.next_token;
            if next_token.is_none() {
                break;
            }
        }
        assert_eq!(seen, made);
    }
    let mut filter = SandboxFilter::default();
    filter.metadata.insert("number".to_owned(), 3.into());
    let page = house.engine.list_sandboxes(&house.caller, filter).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test]
async fn a_command_inherits_the_sandboxs_settings_over_the_templates() {
    let house = House::open().await;
    let mut body = crate::house::template("py", &["default"]);
    body["runtime_config"] =
        serde_json::json!({"default_envs": {"A": "1", "B": "1"}, "default_workdir": "/srv", "default_user": "app"});
    house.build(body).await;
    let mut request = plain("py");
    request.envs.insert("B".to_owned(), "2".to_owned());
    let sandbox = house.engine.create_sandbox(&house.caller, request).await.unwrap();
    let defaults = house.engine.open_guest(&house.caller, sandbox.id.as_str()).await.unwrap().defaults;
    assert_eq!((defaults.cwd.as_str(), defaults.user.as_deref()), ("/srv", Some("app")));
    assert_eq!((defaults.envs["A"].as_str(), defaults.envs["B"].as_str()), ("1", "2"));
}
