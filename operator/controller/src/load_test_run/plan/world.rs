//! A small world of pure data, in which the planner is driven through random orders of events: workers that get ready, hang, die
//! or upload; users who stop and delete; an operator that crashes between any two actions, acts on what is no longer so, and
//! acts twice. [`judge`] knows nothing of the planner; it looks at what stands in the world.

mod acting;
mod judge;
mod observation;
mod simulation;

use proptest::prelude::*;

use simulation::{Happening, WorkerId, World};

const RUNS: usize = 3;
const TARGETS: [&str; 2] = ["local", "other"];
/// Of each run in each region.
const WORKERS: u32 = 3;

fn workers() -> impl Iterator<Item = WorkerId> {
    (0..TARGETS.len()).flat_map(|target| (0..WORKERS).map(move |index| (target, index)))
}

#[derive(Clone, Debug)]
enum Event {
    Happens(Happening),
    /// The operator looks at a run, then `meanwhile` happens, then it does the first `actions` of its plan (and writes the status
    /// only if it did all), and all of it `times` times.
    Step {
        run: usize,
        meanwhile: Vec<Happening>,
        actions: usize,
        times: usize,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    let run = 0..RUNS;
    let target = 0..TARGETS.len();
    let worker = (target.clone(), 0..WORKERS);
    prop_oneof![
        4 => (1_i64..30).prop_map(Happening::Passes),
        1 => (30_i64..2000).prop_map(Happening::Passes),
        2 => run.clone().prop_map(Happening::Created),
        6 => (run.clone(), worker.clone()).prop_map(|(run, worker)| Happening::Prepared(run, worker)),
        4 => (run.clone(), worker.clone()).prop_map(|(run, worker)| Happening::Uploaded(run, worker)),
        1 => (run.clone(), worker.clone()).prop_map(|(run, worker)| Happening::Died(run, worker)),
        1 => (run.clone(), worker).prop_map(|(run, worker)| Happening::Hung(run, worker)),
        1 => run.clone().prop_map(Happening::ScriptFailed),
        2 => run.clone().prop_map(Happening::Aggregated),
        1 => run.clone().prop_map(Happening::AggregatorFailed),
        1 => run.clone().prop_map(Happening::StopRequested),
        1 => run.clone().prop_map(Happening::RunDeleted),
        3 => run.prop_map(Happening::Reconciled),
        1 => Just(Happening::LoadTestDeleted),
        1 => Just(Happening::SourceGone),
        1 => Just(Happening::SourceBack),
        1 => target.clone().prop_map(Happening::RegionAway),
        2 => target.prop_map(Happening::RegionBack),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let step = (
        0..RUNS,
        prop::collection::vec(happening(), 0..3),
        prop_oneof![3 => Just(9_usize), 2 => 0_usize..4],
        1_usize..3,
    )
        .prop_map(|(run, meanwhile, actions, times)| Event::Step { run, meanwhile, actions, times });
    prop_oneof![2 => happening().prop_map(Event::Happens), 5 => step]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    /// No overlap, no second start, no Job after the end, no end that changes, and every run ends and leaves nothing behind.
    #[test]
    fn whatever_happens_runs_do_not_overlap_start_once_and_end_clean(events in prop::collection::vec(event(), 0..120)) {
        let mut world = World::new();
        world.happen(&Happening::Created(0));
        for event in &events {
            match event {
                Event::Happens(happening) => world.happen(happening),
                Event::Step { run, meanwhile, actions, times } => world.step(*run, meanwhile, *actions, *times),
            }
            judge::check(&world);
        }
        let steps = world.settle();
        judge::check(&world);
        judge::check_settled(&world, steps);
    }

    /// The same observation gives the same plan, and a plan that has taken effect is not planned again.
    #[test]
    fn planning_again_gives_the_same_and_done_is_done(events in prop::collection::vec(event(), 0..60), run in 0..RUNS) {
        let mut world = World::new();
        world.happen(&Happening::Created(0));
        for event in &events {
            match event {
                Event::Happens(happening) => world.happen(happening),
                Event::Step { run, meanwhile, actions, times } => world.step(*run, meanwhile, *actions, *times),
            }
        }
        if let Some((first, second)) = world.plan_twice(run) {
            prop_assert_eq!(first, second);
        }
        world.step(run, &[], usize::MAX, 1);
        let before = world.planned_actions(run);
        world.step(run, &[], usize::MAX, 1);
        let after = world.planned_actions(run);
        for action in &after {
            prop_assert!(!before.contains(action), "{:?} was done and is planned again", action);
        }
    }
}

#[test]
fn the_judge_would_notice_an_overlap() {
    let mut world = World::new();
    for run in 0..2 {
        world.happen(&Happening::Created(run));
        world.force_load(run);
    }
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge::check(&world))).is_err());
}

#[test]
fn an_undisturbed_run_succeeds() {
    let mut world = World::new();
    world.happen(&Happening::Created(0));
    world.settle();
    assert_eq!(world.end_of(0).as_deref(), Some("Completed"));
}

/// Run 0 needs both regions, run 1 goes on without one.
#[rstest::rstest]
#[case::that_must_not_be_missing(0, "StartTimedOut", &[])]
#[case::that_may_be_missing(1, "Completed", &["local"])]
fn a_region_that_is_away_before_the_start(#[case] run: usize, #[case] end: &str, #[case] started: &[&str]) {
    let mut world = World::new();
    world.happen(&Happening::RegionAway(1));
    world.happen(&Happening::Created(run));
    world.settle();
    assert_eq!(world.end_of(run).as_deref(), Some(end), "{}", world.story());
    let regions = world.runs[run].start.as_ref().map(|start| start.regions.clone()).unwrap_or_default();
    assert_eq!(regions, started);
}

/// The operator is killed between any two of its actions, and goes on from what is written: one start, with one set of regions.
#[rstest::rstest]
fn a_kill_between_any_two_actions_changes_nothing_of_the_start(
    #[values(0, 1)] run: usize,
    #[values(0, 1, 2, 3)] after: usize,
) {
    let mut world = World::new();
    world.happen(&Happening::Created(run));
    for _ in 0..60 {
        for id in workers() {
            world.happen(&Happening::Prepared(run, id));
        }
        world.step(run, &[], after, 1);
        world.step(run, &[], usize::MAX, 1);
        world.happen(&Happening::Passes(1));
        judge::check(&world);
    }
    world.settle();
    judge::check(&world);
    assert_eq!(world.end_of(run).as_deref(), Some("Completed"), "{}", world.story());
    assert_eq!(world.runs[run].start.as_ref().unwrap().regions, TARGETS);
}
