//! Which run does an applied LoadTest trigger, if any?
//!
//! The API server's answer to the apply is one instant of the LoadTest: spec, generation and the annotation
//! `volley.dev/triggered` belong together in it. From that instant alone follows whether the operator will make a run
//! (the trigger is *pending*), by the same rule that the operator uses. Then
//!
//! * not pending: no run comes from this apply, whatever happens later; the caller creates one;
//! * pending: the operator writes the annotation before it makes the run, and the annotation names digest and generation,
//!   from which the run's name follows. That run is the one to follow; none is created.
//!
//! So a call follows exactly one run, also where the operator is faster or slower than this process. A trigger that was
//! pending before the apply (its sources were missing until now, or somebody applied the same file a moment ago) counts as
//! this one's: it runs what was applied, and a second run beside it would only be skipped.
//!
//! If another one changes the LoadTest before its trigger was seen, nothing is created: what would run is not what was
//! applied.

use std::future::Future;
use std::io::Write;
use std::time::Duration;

use kube::api::Api;
use tokio::time::{Instant, MissedTickBehavior};
use volley_api::condition::{self, ConditionType, Status};
use volley_api::digest::{TriggerMark, definition_digest};
use volley_api::load_test::Trigger;
use volley_api::load_test_run::LoadTestRun;
use volley_api::{LoadTest, labels, names};

use super::{Cluster, ClusterError, bounded};
use crate::follow::RunReference;
use crate::follow::progress::{Progress, Viewer};
use crate::follow::snapshot::one_line;

/// How often the LoadTest is read.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long the operator may take to trigger a run. It takes milliseconds, its restart some seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// What became of the trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The run that was triggered.
    Run(RunReference),
    /// No run comes from the apply; the reason, for people.
    NotTriggered(&'static str),
    /// The user detached before the run was there.
    Detached,
}

/// Why the run was not found.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// The cluster does not do what is asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The LoadTest went away.
    #[error("LoadTest {namespace}/{name} was deleted before it triggered a run")]
    Deleted {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// The LoadTest is another one now.
    #[error(
        "LoadTest {namespace}/{name} was changed by somebody else before it triggered a run, and what was applied did not \
         run; look at it, then apply again: kubectl -n {namespace} get loadtest {name} -o yaml"
    )]
    Changed {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// The operator does nothing.
    #[error(
        "LoadTest {namespace}/{name} triggered no run within {} s{why}; it may still do so. Is the operator running? \
         kubectl get pods -A -l app.kubernetes.io/name=volley", PATIENCE.as_secs()
    )]
    NotTriggered {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// What the LoadTest itself says, with a comma before it; empty: nothing.
        why: String,
    },
}

/// Waits for the run that an apply triggers. `applied` is the API server's answer to the apply.
///
/// # Errors
/// [`TriggerError`]; no run was created by this process.
pub async fn await_run<W: Write>(
    cluster: &Cluster,
    namespace: &str,
    applied: &LoadTest,
    progress: &mut Progress<W>,
    interrupted: impl Future<Output = ()>,
) -> Result<Awaited, TriggerError> {
    if let Forecast::None(why) = forecast(applied) {
        return Ok(Awaited::NotTriggered(why));
    }
    let digest = definition_digest(&applied.spec);
    let name = applied.metadata.name.clone().unwrap_or_default();
    let tests: Api<LoadTest> = Api::namespaced(cluster.client.clone(), namespace);
    let runs: Api<LoadTestRun> = Api::namespaced(cluster.client.clone(), namespace);
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupted = std::pin::pin!(interrupted);
    let mut why = String::new();
    loop {
        tokio::select! {
            () = &mut interrupted => return Ok(Awaited::Detached),
            _ = ticks.tick() => {}
        }
        match bounded("read", "LoadTest", &name, tests.get_opt(&name)).await {
            Ok(None) => return Err(TriggerError::Deleted { namespace: namespace.to_owned(), name }),
            Ok(Some(test)) => match sighting(applied, &digest, &test) {
                Sighting::Waits(words) => {
                    if let Some(words) = words {
                        progress.note(&format!("Waiting: {words}"));
                        why = format!(", {words}");
                    }
                }
                Sighting::Changed => return Err(TriggerError::Changed { namespace: namespace.to_owned(), name }),
                Sighting::Triggered(run) => match bounded("read", "LoadTestRun", &run, runs.get_opt(&run)).await {
                    Ok(Some(found)) => {
                        let uid = found.metadata.uid.unwrap_or_default();
                        return Ok(Awaited::Run(RunReference { namespace: namespace.to_owned(), name: run, uid }));
                    }
                    Ok(None) => {}
                    Err(error) if error.is_transient() => progress.note(&format!("{error}; trying again")),
                    Err(error) => return Err(error.into()),
                },
            },
            Err(error) if error.is_transient() => progress.note(&format!("{error}; trying again")),
            Err(error) => return Err(error.into()),
        }
        if begun.elapsed() >= PATIENCE {
            return Err(TriggerError::NotTriggered { namespace: namespace.to_owned(), name, why });
        }
    }
}

/// Whether a LoadTest, as it was at one instant, will trigger a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forecast {
    /// The operator will make a run of this definition.
    Pending,
    /// It will not; the reason, for people.
    None(&'static str),
}

/// The operator's rule, applied to one instant of a LoadTest.
fn forecast(test: &LoadTest) -> Forecast {
    let mark = mark(test);
    match (test.spec.trigger.unwrap_or_default(), mark) {
        (Trigger::Manual, _) => Forecast::None("its trigger is Manual"),
        (Trigger::Once | Trigger::OnChange, None) => Forecast::Pending,
        (Trigger::Once, Some(_)) => Forecast::None("its trigger is Once, and it has run before"),
        (Trigger::OnChange, Some(mark)) => match mark.parse::<TriggerMark>() {
            Ok(mark) if mark.digest != definition_digest(&test.spec) => Forecast::Pending,
            Ok(_) => Forecast::None("its definition has not changed"),
            // The operator adopts such a mark without a run.
            Err(_) => Forecast::None("its trigger mark is of another release"),
        },
    }
}

/// What is seen of a LoadTest whose trigger was pending.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sighting {
    /// Not triggered yet; what it says about why, for people.
    Waits(Option<String>),
    /// The run that it triggers.
    Triggered(String),
    /// Something else than what was applied will run.
    Changed,
}

fn sighting(applied: &LoadTest, digest: &str, now: &LoadTest) -> Sighting {
    if now.metadata.uid != applied.metadata.uid {
        return Sighting::Changed;
    }
    if mark(now) != mark(applied) {
        // Triggered since. By what was applied?
        return match mark(now).and_then(|mark| mark.parse::<TriggerMark>().ok()) {
            Some(mark) if mark.digest == digest => {
                let name = now.metadata.name.as_deref().unwrap_or_default();
                Sighting::Triggered(names::triggered_run(name, &mark.digest, mark.generation))
            }
            Some(_) | None => Sighting::Changed,
        };
    }
    if definition_digest(&now.spec) != digest || forecast(now) != Forecast::Pending {
        return Sighting::Changed;
    }
    Sighting::Waits(hindrance(now))
}

/// The condition that keeps the trigger waiting, where it speaks of the present generation.
fn hindrance(test: &LoadTest) -> Option<String> {
    let ready = condition::find(&test.status.as_ref()?.conditions, ConditionType::Ready)?;
    let present = ready.observed_generation.is_none_or(|seen| Some(seen) == test.metadata.generation);
    (present && ready.status == Status::False.as_str())
        .then(|| format!("{}: {}", one_line(&ready.reason), one_line(&ready.message)))
}

fn mark(test: &LoadTest) -> Option<&String> {
    test.metadata.annotations.as_ref()?.get(labels::TRIGGERED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn test(trigger: Option<&str>, users: i64, mark: Option<&str>) -> LoadTest {
        let mut value = json!({
            "apiVersion": "volley.dev/v1alpha1", "kind": "LoadTest",
            "metadata": {"name": "checkout", "namespace": "shop", "uid": "u", "generation": 3, "annotations": {}},
            "spec": {"scenario": {"locust": {"script": {"inline": "pass"}}},
                     "load": {"usersPerWorker": users, "holdFor": "10s"},
                     "regions": [{"target": "local", "workers": 1}]}
        });
        if let Some(trigger) = trigger {
            value["spec"]["trigger"] = Value::from(trigger);
        }
        if let Some(mark) = mark {
            value["metadata"]["annotations"][labels::TRIGGERED] = Value::from(mark);
        }
        serde_json::from_value(value).unwrap()
    }

    fn mark_of(users: i64, generation: i64) -> String {
        TriggerMark::of(&test(None, users, None).spec, generation).to_string()
    }

    #[test]
    fn only_a_trigger_that_is_pending_at_the_apply_makes_a_run() {
        let same = mark_of(5, 2);
        let other = mark_of(6, 2);
        let pending = |trigger, mark| forecast(&test(trigger, 5, mark)) == Forecast::Pending;
        assert!(pending(None, None), "Once is the default, and it has not run");
        assert!(!pending(None, Some(same.as_str())));
        assert!(!pending(Some("Once"), Some(other.as_str())), "Once never runs a later edit");
        assert!(pending(Some("OnChange"), None));
        assert!(!pending(Some("OnChange"), Some(same.as_str())));
        assert!(pending(Some("OnChange"), Some(other.as_str())));
        assert!(!pending(Some("OnChange"), Some("v9:0:1")), "an unknown mark is adopted without a run");
        assert!(!pending(Some("Manual"), None));
    }

    #[test]
    fn the_run_is_named_by_the_mark_and_not_by_the_present_generation() {
        let applied = test(Some("OnChange"), 5, Some(&mark_of(6, 2)));
        let digest = definition_digest(&applied.spec);
        let later = test(Some("OnChange"), 5, Some(&mark_of(5, 3)));
        let expected = names::triggered_run("checkout", &digest, 3);
        assert_eq!(sighting(&applied, &digest, &later), Sighting::Triggered(expected));
    }

    #[test]
    fn somebody_elses_change_is_not_followed() {
        let applied = test(None, 5, None);
        let digest = definition_digest(&applied.spec);
        let other_run = test(None, 6, Some(&mark_of(6, 4)));
        assert_eq!(sighting(&applied, &digest, &other_run), Sighting::Changed);
        assert_eq!(sighting(&applied, &digest, &test(None, 6, None)), Sighting::Changed);
        assert_eq!(sighting(&applied, &digest, &test(Some("Manual"), 5, None)), Sighting::Changed);
        let mut recreated = test(None, 5, None);
        recreated.metadata.uid = Some("another".into());
        assert_eq!(sighting(&applied, &digest, &recreated), Sighting::Changed);
    }

    #[test]
    fn a_missing_source_is_told_while_the_trigger_waits() {
        let applied = test(None, 5, None);
        let digest = definition_digest(&applied.spec);
        assert_eq!(sighting(&applied, &digest, &applied), Sighting::Waits(None));
        let mut waiting = applied.clone();
        let ready = |generation: i64| {
            serde_json::from_value(
                json!({"conditions": [{"type": "Ready", "status": "False", "reason": "SourceNotFound",
                "message": "ConfigMap shop/script does not exist", "observedGeneration": generation,
                "lastTransitionTime": "2026-11-25T12:00:00Z"}]}),
            )
            .unwrap()
        };
        waiting.status = Some(ready(3));
        let words = "SourceNotFound: ConfigMap shop/script does not exist".to_owned();
        assert_eq!(sighting(&applied, &digest, &waiting), Sighting::Waits(Some(words)));
        waiting.status = Some(ready(2));
        assert_eq!(sighting(&applied, &digest, &waiting), Sighting::Waits(None), "an old condition says nothing");
    }
}
