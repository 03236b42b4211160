//! Filling, demand, age, idleness, draining and disabling.

use super::*;

#[test]
fn a_short_pool_starts_the_difference() {
    let scene = scene(10).node("n1", 8).pool_with("py", sizes(3, 4)).ready("py", "a", 5);
    plans(
        &scene,
        "
        start new1 of b1 for py on n1
        start new2 of b1 for py on n1
        ",
    );
}

#[test]
fn what_is_coming_counts_and_a_full_pool_is_left_alone() {
    let scene = scene(10).node("n1", 8).pool("py").ready("py", "a", 5).starting("py", "b", 5);
    plans(&scene, "");
}

#[test]
fn each_waiting_create_wants_one_more_but_never_beyond_the_maximum() {
    let scene = scene(10).node("n1", 80).limit(|limits| limits.starts_per_node = 99).pool("py");
    let mut scene = scene.ready("py", "a", 5).ready("py", "b", 5);
    scene.view("py").waiters = 50;
    plans(
        &scene,
        "
        start new1 of b1 for py on n1
        start new2 of b1 for py on n1
        ",
    );
}

#[test]
fn a_taken_member_is_replaced_and_is_no_longer_the_pools() {
    let scene = scene(10).node("n1", 8).pool("py").ready("py", "a", 5).row("py", "b", |row| row.bound("n1", 5));
    plans(&scene, "start new1 of b1 for py on n1");
}

#[test]
fn surplus_stays_while_there_is_demand_and_goes_after_the_idle_timeout() {
    let with = |now: i64, waiters: u32| {
        let scene = scene(now).node("n1", 8).pool_with("py", |view| {
            view.pool.last_demand_at = Some(at(100));
            view.pool.stale_after = std::time::Duration::from_secs(86400);
            view.waiters = waiters;
        });
        scene.ready("py", "a", 50).ready("py", "b", 60).ready("py", "c", 70)
    };
    plans(&with(699, 0), "");
    assert_eq!(with(699, 0).wake("py"), Some(700));
    plans(&with(700, 1), "");
    plans(&with(700, 0), "stop a: Released");
}

#[test]
fn an_ageing_member_is_replaced_before_it_is_stale_when_there_is_room() {
    let scene = scene(5 + 675).node("n1", 8).pool("py").ready("py", "a", 5).ready("py", "b", 400);
    plans(&scene, "start new1 of b1 for py on n1");
    let scene = scene.ready("py", "c", 600);
    plans(&scene, "stop a: Expired");
}

#[test]
fn without_room_ageing_members_are_replaced_one_after_the_other() {
    let scene = scene(5 + 675).node("n1", 8).pool_with("py", sizes(3, 3));
    let scene = scene.ready("py", "a", 5).ready("py", "b", 4).ready("py", "c", 5);
    plans(
        &scene,
        "
        stop b: Expired
        start new1 of b1 for py on n1
        ",
    );
}

#[test]
fn a_stale_member_ends_and_is_replaced() {
    let scene = scene(905).node("n1", 8).pool_with("py", sizes(1, 1)).ready("py", "a", 5);
    plans(
        &scene,
        "
        stop a: Expired
        start new1 of b1 for py on n1
        ",
    );
}

#[test]
fn lowering_the_maximum_lets_go_what_is_furthest_from_useful() {
    let scene = scene(10).node("n1", 8).pool_with("py", sizes(1, 2));
    let scene = scene.ready("py", "a", 5).ready("py", "b", 6).starting("py", "c", 7).starting("py", "d", 8);
    plans(
        &scene,
        "
        stop d: Released
        stop c: Released
        ",
    );
}

#[test]
fn a_draining_pool_lets_go_at_its_pace_and_says_when_it_is_over() {
    let draining = |view: &mut PoolView| {
        view.pool.state = PoolState::Draining;
        view.pool.max_ready = 9;
    };
    let pace = |limits: &mut Limits| limits.releases_per_tick = 2;
    let scene = scene(10).node("n1", 8).limit(pace).pool_with("py", draining);
    let scene =
        scene.ready("py", "a", 5).ready("py", "b", 6).starting("py", "c", 7).row("py", "d", |row| row.bound("n1", 1));
    plans(
        &scene,
        "
        stop c: Released
        stop a: Released
        degrade py: DrainActive: the pool is draining and is not filled
        ",
    );
    assert_eq!(scene.wake("py"), Some(11));
}

#[test]
fn a_drain_is_over_when_only_taken_members_are_left() {
    let scene = scene(10).node("n1", 8).pool_with("py", in_state(PoolState::Deleted));
    let scene = scene.row("py", "d", |row| row.bound("n1", 1));
    plans(&scene, "drained py");
    let still =
        scene.row("py", "e", |row| row.ready("n1", 1).moved(crate::instance::Event::Stop { why: End::Released }, 9));
    plans(&still, "");
}

#[test]
fn a_disabled_pool_keeps_its_members_until_they_are_stale_and_is_not_filled() {
    let scene = scene(905).node("n1", 8).pool_with("py", in_state(PoolState::Disabled));
    let scene = scene.ready("py", "a", 5).ready("py", "b", 400);
    plans(&scene, "stop a: Expired");
    assert_eq!(scene.wake("py"), Some(1075));
}

#[test]
fn a_start_that_never_ends_is_given_up() {
    let scene = scene(1800).node("n1", 8).pool_with("py", sizes(1, 1)).starting("py", "a", 0);
    plans(
        &scene,
        "
        stop a: Failed
        start new1 of b1 for py on n1
        ",
    );
}
