//! What must hold in every world, said without any knowledge of the planner.

use super::simulation::World;

pub(super) fn check(world: &World) {
    let loaded: Vec<_> = world.loaded_runs();
    assert!(loaded.len() <= 1, "runs {loaded:?} make load at the same time\n{}", world.story());
    assert!(world.faults.is_empty(), "{:?}\n{}", world.faults, world.story());
}

pub(super) fn check_settled(world: &World, steps: usize) {
    for (index, run) in world.runs.iter().enumerate() {
        let story = || format!("run {index} after {steps} steps\n{}", world.story());
        let left: Vec<_> = run.jobs.keys().filter(|target| !run.noted.contains(target)).collect();
        assert!(left.is_empty(), "a worker Job is left, {}", story());
        assert!(run.aggregator.is_none(), "an aggregator is left, {}", story());
        if let Some(object) = &run.object {
            assert!(run.finished.is_some(), "it has not ended: {:?}, {}", object.status, story());
            assert_eq!(object.metadata.finalizers.clone().unwrap_or_default(), Vec::<String>::new(), "{}", story());
        }
    }
    assert_eq!(world.active(), Vec::<String>::new(), "a claim is left\n{}", world.story());
}
