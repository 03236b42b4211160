//! Who may do what.

use crate::house::{House, KEY, plain};
use nullspace_server::engine::Error;

#[tokio::test]
async fn a_key_works_until_it_is_revoked() {
    let house = House::open().await;
    let made = house.engine.create_key(&house.caller, None, "ci").await.unwrap();
    assert!(made.secret.starts_with("ns_live_") && made.secret.len() == 8 + 64);
    let caller = house.engine.authenticate(&made.secret).await.unwrap();
    assert!(!caller.admin);
    house.engine.revoke_key(&house.caller, made.info.id.as_str()).await.unwrap();
    assert!(matches!(house.engine.authenticate(&made.secret).await, Err(Error::Unauthorized)));
    assert!(matches!(house.engine.authenticate("ns_live_guess").await, Err(Error::Unauthorized)));
}

#[tokio::test]
async fn the_bootstrap_key_is_valid_at_every_start() {
    let house = House::open().await;
    house.engine.revoke_key(&house.caller, house.caller.key.as_str()).await.unwrap();
    assert!(house.engine.authenticate(KEY).await.is_err());
    let house = house.kill_and_restart().await;
    assert!(house.caller.admin);
    assert_eq!(house.caller.namespace, "team");
}

#[tokio::test]
async fn what_belongs_to_another_tenant_does_not_exist() {
    let house = House::open().await;
    let pool = house.ready_pool("py", 1).await;
    let sandbox = house.engine.create_sandbox(&house.caller, plain("py")).await.unwrap();
    house.engine.create_tenant(&house.caller, "other").await.unwrap();
    let key = house.engine.create_key(&house.caller, Some("other"), "theirs").await.unwrap();
    let them = house.engine.authenticate(&key.secret).await.unwrap();
    let engine = &house.engine;
    assert!(matches!(engine.get_sandbox(&them, sandbox.id.as_str()).await, Err(Error::SandboxNotFound { .. })));
    assert!(matches!(engine.kill_sandbox(&them, sandbox.id.as_str()).await, Err(Error::SandboxNotFound { .. })));
    assert!(matches!(engine.get_warm_pool(&them, pool.pool.id.as_str()).await, Err(Error::WarmPoolNotFound { .. })));
    assert!(matches!(engine.get_template(&them, "team/py").await, Err(Error::TemplateNotFound { .. })));
    assert!(matches!(engine.create_sandbox(&them, plain("team/py")).await, Err(Error::TemplateNotFound { .. })));
    assert!(matches!(engine.create_tenant(&them, "third").await, Err(Error::Forbidden { .. })));
    assert!(matches!(engine.list_keys(&them, Some("team")).await, Err(Error::TenantNotFound { .. })));
    assert!(matches!(engine.revoke_key(&them, house.caller.key.as_str()).await, Err(Error::KeyNotFound { .. })));
}
