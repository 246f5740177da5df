//! Who is let in, one run after the other.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::api::Api;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::Mutex;
use volley_api::{LoadTestRun, labels};
use volley_storage::documents::Definition;

use super::usage::ByTarget;
use super::{Shortage, Usage, admit, limits};
use crate::context::Context;
use crate::kubernetes;

/// How long a run that was let in counts although its status does not say so. A run asks again each time it is looked at, so
/// that a write which failed does not end this; a list shows what was written at once.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(2);

/// Runs that were let in. What is kept in memory bridges the time until their status says it; an operator that starts anew has
/// made nothing for them.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    let_in: Mutex<BTreeMap<String, Reservation>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Reservation {
    at: Timestamp,
    usage: ByTarget,
}

/// Another run, as far as it takes room.
#[derive(Clone, Debug, PartialEq)]
struct Other {
    uid: String,
    /// What its status says that it has; `None`: nothing yet.
    usage: Option<ByTarget>,
}

impl Admissions {
    /// Lets a run in, or says what it lacks. Two runs never get the same room: one call waits for the other.
    ///
    /// # Errors
    /// As the API server answers.
    pub(crate) async fn ask(
        &self,
        definition: &Definition,
        context: &Context,
    ) -> Result<Result<(), Shortage>, kubernetes::Error> {
        let wanted = Usage::wanted(definition);
        let targets: Vec<_> = wanted.keys().filter_map(|target| context.targets.get(&ObjectRef::new(target))).collect();
        let mut let_in = self.let_in.lock().await;
        let now = (context.now)();
        let_in.retain(|_, reservation| now.duration_since(reservation.at) < REMEMBERED);
        let_in.remove(&definition.run.uid);
        if targets.iter().any(|target| target.spec.capacity.is_some()) {
            let runs: Api<LoadTestRun> = Api::all(context.client.clone());
            let others = others(&kubernetes::list(&runs, "").await?);
            let used = used(&others, &let_in, &definition.run.uid);
            for target in &targets {
                let name = target.metadata.name.as_deref().unwrap_or_default();
                let (wanted, used) = (get(&wanted, name), get(&used, name));
                if let Err(shortage) = admit(name, wanted, &limits(target, used)) {
                    return Ok(Err(shortage));
                }
            }
        }
        let_in.insert(definition.run.uid.clone(), Reservation { at: now, usage: wanted });
        Ok(Ok(()))
    }
}

fn get(usage: &ByTarget, target: &str) -> Usage {
    usage.get(target).copied().unwrap_or_default()
}

/// The runs that have not been cleaned: only then all their workers are gone.
fn others(runs: &[LoadTestRun]) -> Vec<Other> {
    runs.iter()
        .filter(|run| run.metadata.finalizers.iter().flatten().any(|name| name == labels::RUN_FINALIZER))
        .map(|run| Other {
            uid: run.metadata.uid.clone().unwrap_or_default(),
            usage: run.status.as_ref().and_then(Usage::of),
        })
        .collect()
}

/// What the other runs have, by target.
fn used(others: &[Other], let_in: &BTreeMap<String, Reservation>, asking: &str) -> ByTarget {
    let mut used = ByTarget::new();
    for other in others.iter().filter(|other| other.uid != asking) {
        let usage = other.usage.as_ref().or_else(|| let_in.get(&other.uid).map(|reservation| &reservation.usage));
        for (target, usage) in usage.into_iter().flatten() {
            let sum = used.entry(target.clone()).or_default();
            *sum = sum.plus(*usage);
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn by_target(workers: u64) -> ByTarget {
        [("eu".to_owned(), Usage { workers, millicores: workers * 500 })].into()
    }

    fn other(uid: &str, workers: Option<u64>) -> Other {
        Other { uid: uid.into(), usage: workers.map(by_target) }
    }

    #[test]
    fn a_run_counts_once_by_its_status_or_else_by_what_it_was_let_in_with() {
        let reservation = |workers| Reservation { at: Timestamp::UNIX_EPOCH, usage: by_target(workers) };
        let let_in =
            [("a".to_owned(), reservation(2)), ("b".to_owned(), reservation(3)), ("gone".to_owned(), reservation(9))];
        let others =
            [other("a", Some(2)), other("b", None), other("c", Some(4)), other("d", None), other("me", Some(50))];
        assert_eq!(get(&used(&others, &let_in.into(), "me"), "eu"), Usage { workers: 9, millicores: 4_500 });
    }

    #[test]
    fn a_run_takes_room_until_it_is_cleaned() {
        let run = |finalizers: serde_json::Value| -> LoadTestRun {
            serde_json::from_value(json!({
                "apiVersion": "volley.dev/v1alpha1", "kind": "LoadTestRun",
                "metadata": {"name": "r", "uid": "u", "finalizers": finalizers}, "spec": {"loadTest": "t"},
                "status": {"regions": [{"target": "eu", "planned": 4, "created": 0, "prepared": 0}],
                    "plan": {"workers": 4, "vcpu": "2", "duration": "1s", "workerImage": "w", "volleyImage": "v"}}}))
            .unwrap()
        };
        assert_eq!(others(&[run(json!(["volley.dev/run"]))])[0].usage, Some(by_target(4)));
        assert_eq!(others(&[run(json!([]))]), []);
    }
}
