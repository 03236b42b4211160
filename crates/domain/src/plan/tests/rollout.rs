//! Following a tag: roll, fill, cut over, give up, go back.

use super::*;
use crate::instance::Event;

fn failed(row: Instance, when: i64) -> Instance {
    row.starting("n1", when).moved(Event::Ended { why: End::Failed }, when)
}

#[test]
fn a_moved_tag_rolls_the_pool_and_stops_what_was_being_made() {
    let scene = scene(10).node("n1", 8).pool("py").ready("py", "a", 5).starting("py", "b", 5).wants("py", "b2");
    plans(
        &scene,
        "
        stop b: Released
        roll py to b2 as 2 after b1
        ",
    );
    assert_eq!(scene.wake("py"), Some(10));
}

#[test]
fn a_pinned_pool_never_moves() {
    let pinned = |view: &mut PoolView| view.pool.version_policy = crate::warm_pool::VersionPolicy::PinnedBuild;
    let scene =
        scene(10).node("n1", 8).pool_with("py", pinned).ready("py", "a", 5).ready("py", "b", 5).wants("py", "b2");
    plans(&scene, "");
}

#[test]
fn the_new_build_fills_beside_the_old_one_while_there_is_room() {
    let scene = scene(20).node("n1", 8).pool("py").ready("py", "a", 5).ready("py", "b", 6).rolled("py", "b2", 10);
    plans(
        &scene,
        "
        start new1 of b2 for py on n1
        start new2 of b2 for py on n1
        ",
    );
}

#[test]
fn without_room_one_old_member_goes_for_the_first_new_one() {
    let scene = scene(20).node("n1", 8).pool_with("py", sizes(3, 3));
    let scene = scene.ready("py", "a", 5).ready("py", "b", 6).ready("py", "c", 7).rolled("py", "b2", 10);
    plans(
        &scene,
        "
        stop a: Released
        start new1 of b2 for py on n1
        ",
    );
    let mut scene = scene.starting("py", "new", 20);
    scene.view("py").instances.remove(&InstanceId::from_body("a"));
    plans(&scene, "");
}

#[test]
fn a_pool_above_its_maximum_lets_go_before_it_tries_the_new_build() {
    let scene = scene(20).node("n1", 8).limit(|limits| limits.releases_per_tick = 1).pool_with("py", sizes(1, 1));
    let scene = scene.ready("py", "a", 5).ready("py", "b", 6).ready("py", "c", 7).rolled("py", "b2", 10);
    plans(&scene, "stop a: Released");
}

#[test]
fn a_full_host_loses_one_old_member_so_that_a_new_one_fits() {
    let full = |node: &mut Node| node.memory_used_mb = node.memory_mb;
    let scene = scene(20).node_with("n1", 2, full).pool("py");
    let scene = scene.ready("py", "a", 5).ready("py", "b", 6).rolled("py", "b2", 10);
    plans(&scene, "stop a: Released");
}

#[test]
fn the_first_ready_member_of_the_new_build_cuts_over_and_the_old_ones_drain() {
    let scene = scene(30).node("n1", 8).pool("py").ready("py", "a", 5).ready("py", "b", 6);
    let scene = scene.row("py", "held", |row| row.bound("n1", 6)).rolled("py", "b2", 10).ready("py", "new", 29);
    plans(
        &scene,
        "
        stop a: Released
        stop b: Released
        start new1 of b2 for py on n1
        cut py over to 2
        ",
    );
}

#[test]
fn a_member_taken_before_anyone_looked_cuts_over_too() {
    let scene = scene(30).node("n1", 8).pool("py").ready("py", "a", 5).rolled("py", "b2", 10);
    let scene = scene.row("py", "new", |row| row.bound("n1", 29)).starting("py", "next", 29).starting("py", "more", 29);
    plans(
        &scene,
        "
        stop a: Released
        cut py over to 2
        ",
    );
}

#[test]
fn members_of_the_old_size_serve_until_the_first_of_the_new_one_is_ready() {
    let mut scene = scene(20).node("n1", 80).pool("py").ready("py", "a", 5).ready("py", "b", 6);
    let larger = crate::fixture::resources(2, 2048, 4096);
    scene.view("py").pool.resize(larger, at(10));
    plans(
        &scene,
        "
        start new1 of b1 for py on n1
        start new2 of b1 for py on n1
        ",
    );
    let view = scene.view("py");
    assert!(view.instances.values().all(|old| view.pool.serves(old) && !view.pool.makes(old)));
    plans(
        &scene.ready("py", "new", 19),
        "
        stop a: Released
        stop b: Released
        start new1 of b1 for py on n1
        cut py over to 2
        ",
    );
}

#[test]
fn a_pool_that_wants_nothing_ready_lets_the_old_build_go_at_once() {
    let scene = scene(20).node("n1", 8).pool_with("py", sizes(0, 4)).ready("py", "a", 5).rolled("py", "b2", 10);
    plans(&scene, "stop a: Released");
}

#[test]
fn several_moves_converge_to_the_last_and_keep_what_worked() {
    let scene = scene(30).node("n1", 8).pool("py").ready("py", "a", 5).ready("py", "b", 5);
    let scene = scene.rolled("py", "b2", 10).starting("py", "c", 15).wants("py", "b3");
    plans(
        &scene,
        "
        stop c: Released
        roll py to b3 as 3 after b1
        ",
    );
}

#[test]
fn a_tag_that_moves_back_finds_its_old_members_as_good_as_new() {
    let scene = scene(30).node("n1", 8).pool("py").ready("py", "a", 5).ready("py", "b", 5);
    let scene = scene.rolled("py", "b2", 10).rolled("py", "b1", 20);
    plans(&scene, "cut py over to 3");
}

#[test]
fn a_build_that_does_not_become_ready_in_time_is_given_up() {
    let with = |now: i64| {
        let scene = scene(now).node("n1", 8).pool("py").ready("py", "a", 300).rolled("py", "b2", 310);
        scene.starting("py", "c", 320).starting("py", "d", 400)
    };
    plans(&with(919), "");
    plans(
        &with(920),
        "
        stop c: Released
        stop d: Released
        roll py to b1 as 3 after b2, generation 2 given up
        ",
    );
}

#[test]
fn a_build_that_keeps_failing_is_given_up_without_waiting() {
    let scene = scene(30).node("n1", 8).pool("py").ready("py", "a", 5).rolled("py", "b2", 10);
    let mut scene = scene.row("py", "c", |row| failed(row, 20));
    scene.view("py").pool.failures_in_a_row = 3;
    plans(&scene, "roll py to b1 as 3 after b2, generation 2 given up");
}

#[test]
fn a_build_that_found_no_room_to_be_tried_is_not_given_up() {
    let scene = scene(2000).node("n1", 0).pool_with("py", sizes(1, 1)).rolled("py", "b2", 10);
    plans(&scene, "degrade py: NoEligibleHosts: no host has 1088 MB of memory and 4096 MB of disk left");
}

/// A pool that has given up `b2` as generation 2 and fills `b1` again, as generation 3.
fn fallen_back() -> Scene {
    let scene = scene(100).node("n1", 8).pool("py").ready("py", "a", 5).ready("py", "b", 6).rolled("py", "b2", 10);
    let mut scene = scene.row("py", "c", |row| failed(row, 20));
    scene.view("py").pool.failures_in_a_row = 3;
    let roll = scene.plan().actions.into_iter().next().expect("a roll");
    let Action::Roll { current, previous, abandoned, .. } = roll else { panic!("not a roll: {roll:?}") };
    let view = scene.view("py");
    view.pool.failures_in_a_row = 0;
    view.pool.current = current;
    view.pool.previous = previous;
    view.pool.abandoned = abandoned;
    view.last_failure = Some("the start command ended with exit code 1".into());
    scene
}

#[test]
fn after_giving_up_the_previous_build_is_filled_and_the_pool_says_why() {
    plans(
        &fallen_back(),
        "degrade py: ArtifactPrewarmFailed: build b2 was given up, b1 is filled until the tag moves: the start command ended with exit code 1",
    );
    let mut short = fallen_back();
    short.view("py").instances.remove(&InstanceId::from_body("a"));
    plans(&short, "
        start new1 of b1 for py on n1
        degrade py: ArtifactPrewarmFailed: build b2 was given up, b1 is filled until the tag moves: the start command ended with exit code 1
        ");
}

#[test]
fn a_fallback_ends_when_the_tag_moves_on_or_back_or_somebody_asks_again() {
    plans(&fallen_back().wants("py", "b3"), "roll py to b3 as 4 after b1");
    plans(&fallen_back().wants("py", "b1"), "roll py to b1 as 3 after b2");
    let mut asked = fallen_back();
    asked.view("py").pool.abandoned = None;
    plans(&asked, "roll py to b2 as 4 after b1");
}
