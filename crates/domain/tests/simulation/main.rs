//! The whole controller under a seeded scheduler: the real planner, state machine and checkout
//! decisions, on hosts that hang, fail, fall silent and die, with two loops planning on stale worlds.
//!
//! First faults, with safety checked after every step; then the faults stop, some hosts stay dead, and
//! everything must come right within a bound. The checker states the goal in its own words and never
//! asks the planner. `SEED=n` runs one seed and tells its story, `SEEDS=n` runs that many.

mod checker;
mod checkout;
mod controller;
mod hosts;
mod random;
mod scenario;
mod store;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Enough to meet every fault in every phase a few times, in seconds.
const SEEDS: u64 = 100;

#[test]
fn promises_hold_under_faults_and_everything_comes_right_afterwards() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("SEED") {
        scenario::run(seed, true);
        return;
    }
    let failed: Vec<u64> = (0..number("SEEDS").unwrap_or(SEEDS))
        .filter(|seed| catch_unwind(AssertUnwindSafe(|| scenario::run(*seed, false))).is_err())
        .inspect(|seed| eprintln!("failed: make sim SEED={seed}"))
        .collect();
    assert!(failed.is_empty(), "failing seeds: {failed:?}");
}

/// Seeds that once found a mistake.
const FOUND: &[u64] = &[136];

#[test]
fn seeds_that_failed_before_pass() {
    for seed in FOUND {
        scenario::run(*seed, false);
    }
}

#[test]
fn a_seed_always_tells_the_same_story() {
    assert_eq!(scenario::run(7, false), scenario::run(7, false));
}
