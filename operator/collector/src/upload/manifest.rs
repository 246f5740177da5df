//! The manifest: what this attempt did, from what was seen. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use volley_stats::Collection;
use volley_storage::documents::{
    Counters, DOCUMENT_VERSION, Definition, Manifest, ObjectDigest, StopReason, WorkerFailure,
};
use volley_storage::keys::WorkerAttempt;

use crate::files::{Ended, Prepared, Released};

/// How much earlier than planned a load may end and still have run its full time: `released.json` and `ended.json` are written
/// by two processes, and Taurus looks each second.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(1);
/// Most warnings in a manifest.
const MAXIMUM_WARNINGS: usize = 50;

/// What was seen of the worker.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `prepared.json`.
    pub prepared: Option<Prepared>,
    /// `released.json`.
    pub released: Option<Released>,
    /// `ended.json`.
    pub ended: Option<Ended>,
    /// `failed.json`.
    pub failed: Option<WorkerFailure>,
    /// Why the load was stopped, when that was decided. The end of the pod is no decision about the load.
    pub stopped: Option<StopReason>,
    /// This process was told to end before Taurus had ended.
    pub terminated: bool,
}

impl Seen {
    /// Whether the load ran its full time, or ended by decision.
    #[must_use]
    pub fn complete(&self, planned_ms: u64) -> bool {
        if self.stopped.is_some() {
            return true;
        }
        !self.terminated && self.ran().is_some_and(|ran| ran >= planned(planned_ms).saturating_sub(TOLERANCE))
    }

    /// From the opening of the gate to the end of Taurus.
    fn ran(&self) -> Option<SignedDuration> {
        let (released, ended) = self.released.as_ref().zip(self.ended.as_ref())?;
        Some(ended.at.duration_since(released.at))
    }
}

fn planned(milliseconds: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX))
}

/// Builds the manifest.
#[must_use]
pub fn manifest(
    definition: &Definition,
    worker: &WorkerAttempt,
    seen: &Seen,
    collection: &Collection,
    objects: BTreeMap<String, ObjectDigest>,
    warnings: Vec<String>,
) -> Manifest {
    let planned_ms = definition.load.duration_ms();
    let total = collection.total();
    let overview = &collection.overview;
    let mut all = own_warnings(seen, planned_ms, collection);
    all.extend(warnings);
    let left_out = all.len().saturating_sub(MAXIMUM_WARNINGS);
    if left_out > 0 {
        all.truncate(MAXIMUM_WARNINGS);
        all.push(format!("{left_out} more warnings are left out"));
    }
    let prepared = seen.prepared.as_ref();
    Manifest {
        version: DOCUMENT_VERSION,
        run_uid: definition.run.uid.clone(),
        worker: worker.clone(),
        taurus: prepared.and_then(|prepared| prepared.taurus.clone()),
        engines: prepared.map(|prepared| prepared.engines.clone()).unwrap_or_default(),
        exit_code: seen.ended.as_ref().and_then(|ended| ended.exit_code),
        released_at: seen.released.as_ref().map(|released| released.at),
        first_sample_at: overview.first_start_us.and_then(instant),
        last_sample_at: overview.last_end_us.and_then(instant),
        complete: seen.complete(planned_ms),
        stopped: seen.stopped,
        counters: Counters {
            requests: total.requests(),
            errors: total.failures.count(),
            interrupted: total.interrupted.count(),
            bytes: total.bytes(),
            malformed_rows: overview.malformed_rows,
            folded_labels: overview.folded_label_samples,
        },
        objects,
        warnings: all,
    }
}

fn own_warnings(seen: &Seen, planned_ms: u64, collection: &Collection) -> Vec<String> {
    let overview = &collection.overview;
    let mut warnings = Vec::new();
    if let Some(failure) = &seen.failed {
        warnings.push(format!("the worker failed: {}", failure.words));
    }
    if seen.terminated {
        warnings.push("the pod was told to end while the load ran".to_owned());
    } else if !seen.complete(planned_ms) {
        warnings.push(match seen.ran() {
            Some(ran) => format!(
                "Taurus ended {:.1} s after the gate opened; {:.1} s were planned",
                ran.as_secs_f64(),
                planned(planned_ms).as_secs_f64()
            ),
            None => "the gate never opened, or its opening was not seen".to_owned(),
        });
    }
    if let Some(code) = seen.ended.as_ref().and_then(|ended| ended.exit_code).filter(|code| *code != 0)
        && seen.stopped.is_none()
    {
        warnings.push(format!("Taurus ended with exit code {code}; its log says why"));
    }
    if overview.malformed_rows > 0 {
        warnings.push(format!("{} rows of the sample files could not be read", overview.malformed_rows));
    }
    if overview.folded_label_samples > 0 {
        warnings.push(format!(
            "{} samples of labels beyond the bound stand under [other]; use fewer distinct names",
            overview.folded_label_samples
        ));
    }
    warnings.extend(seen.prepared.iter().flat_map(|prepared| prepared.notes.iter().cloned()));
    if seen.released.is_some() && overview.samples == 0 && seen.stopped.is_none() {
        warnings.push("the gate opened, but no sample was written".to_owned());
    }
    warnings
}

fn instant(microseconds: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(microseconds).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn seen(ran_ms: i64) -> Seen {
        Seen {
            released: Some(Released { at: Timestamp::UNIX_EPOCH }),
            ended: Some(Ended { exit_code: Some(0), at: Timestamp::from_millisecond(ran_ms).unwrap() }),
            ..Seen::default()
        }
    }

    #[test]
    fn what_of_a_script_does_not_count_is_a_warning() {
        let prepared = Prepared {
            at: Timestamp::UNIX_EPOCH,
            engines: Vec::new(),
            taurus: None,
            notes: vec!["the script's own thresholds are not judged".to_owned()],
        };
        let seen = Seen { prepared: Some(prepared.clone()), stopped: Some(StopReason::Requested), ..Seen::default() };
        assert_eq!(own_warnings(&seen, 60_000, &Collection::default()), prepared.notes);
    }

    #[rstest]
    #[case::full_time(seen(60_500), true)]
    #[case::within_the_tolerance(seen(59_000), true)]
    #[case::too_early(seen(58_999), false)]
    #[case::stopped_early(Seen { stopped: Some(StopReason::Requested), ..seen(10_000) }, true)]
    #[case::stopped_in_the_gate(Seen { stopped: Some(StopReason::Requested), ..Seen::default() }, true)]
    #[case::pod_ended(Seen { terminated: true, ..seen(70_000) }, false)]
    #[case::end_not_seen(Seen { ended: None, ..seen(70_000) }, false)]
    fn a_worker_is_complete_when_its_load_ran_in_full_or_was_stopped(#[case] seen: Seen, #[case] complete: bool) {
        assert_eq!(seen.complete(60_000), complete);
        assert_eq!(
            own_warnings(&seen, 60_000, &Collection::default())
                .iter()
                .any(|text| text.contains("planned") || text.contains("told to end") || text.contains("never opened")),
            !complete
        );
    }
}
