//! Hosts, quota, pacing, fairness, and hosts that go silent or die.

use super::*;

#[test]
fn starts_are_paced_per_host_and_spread_to_where_there_is_most_memory() {
    let scene = scene(10).node("n1", 4).node("n2", 8).pool_with("py", sizes(9, 9));
    plans(
        &scene,
        "
        start new1 of b1 for py on n2
        start new2 of b1 for py on n2
        start new3 of b1 for py on n1
        start new4 of b1 for py on n1
        ",
    );
    assert_eq!(scene.wake("py"), Some(10));
}

#[test]
fn what_a_host_is_starting_for_others_counts() {
    let scene = scene(10).node_with("n1", 8, |node| node.starting = 1).pool("py");
    plans(&scene, "start new1 of b1 for py on n1");
}

#[test]
fn quota_is_kept_within_one_tick_too() {
    let scene = scene(10).node("n1", 80).limit(|limits| limits.starts_per_node = 9);
    let scene = scene.tenant("t1", |tenant| {
        tenant.instances_max = Some(5);
        tenant.instances_used = 2;
    });
    plans(
        &scene.pool_with("a", sizes(2, 2)).pool_with("b", sizes(2, 2)),
        "
        start new1 of b1 for a on n1
        start new2 of b1 for b on n1
        start new3 of b1 for a on n1
        degrade b: QuotaExceeded: the tenant has as many machines as it may
        ",
    );
}

#[test]
fn the_emptiest_pool_goes_first_and_no_tenant_takes_every_turn() {
    let other = |view: &mut PoolView| {
        view.pool.tenant = TenantId::from_body("t2");
        view.pool.min_ready = 4;
    };
    let scene = scene(10).node("n1", 80).limit(|limits| limits.starts_per_node = 4);
    let scene = scene.pool_with("a", sizes(4, 4)).pool_with("b", sizes(4, 4)).pool_with("c", other);
    plans(
        &scene.ready("a", "a1", 5).ready("c", "c1", 5),
        "
        start new1 of b1 for b on n1
        start new2 of b1 for c on n1
        start new3 of b1 for a on n1
        start new4 of b1 for c on n1
        ",
    );
}

#[test]
fn a_pool_that_is_always_empty_does_not_starve_one_beside_it() {
    // `a` was served last: its only member was taken at once, so it is empty again.
    let scene = scene(10).node("n1", 80).limit(|limits| limits.starts_per_node = 1);
    let scene = scene.pool_with("a", sizes(1, 1)).pool_with("b", sizes(1, 1));
    plans(&scene.row("a", "a1", |row| row.bound("n1", 9)), "start new1 of b1 for b on n1");
}

#[test]
fn members_of_a_dead_host_are_forgotten_and_replaced() {
    let scene = scene(10).node_with("n1", 8, |node| node.health = Health::Dead).node("n2", 8).pool("py");
    let scene = scene.ready("py", "a", 5).row("py", "b", |row| row.bound("n1", 5));
    plans(
        &scene,
        "
        forget a: Lost
        forget b: Lost
        start new1 of b1 for py on n2
        start new2 of b1 for py on n2
        ",
    );
}

#[test]
fn members_of_a_silent_host_stay_counted_but_do_not_satisfy_anyone() {
    let scene = scene(10).node_with("n1", 8, |node| node.health = Health::Silent).node("n2", 8).pool("py");
    plans(&scene.ready("py", "a", 5).ready("py", "b", 5).ready("py", "c", 5), "start new1 of b1 for py on n2");
}
