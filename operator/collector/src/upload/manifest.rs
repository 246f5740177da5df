//! The manifest: what this attempt did, from what was seen. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use volley_storage::documents::{
    ClockOffset, DOCUMENT_VERSION, Definition, FrameCounts, Manifest, ObjectDigest, SampleFile, StartDecision,
    StopReason, WorkerFailure, WorkerHealth,
};
use volley_storage::keys::WorkerAttempt;

use crate::disk;
use crate::files::{Ended, Prepared, Released};
use crate::tail::Measured;

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
    /// `start.json`.
    pub start: Option<StartDecision>,
    /// What this worker's clock differs from the storage's, around the opening of the gate.
    pub clock: Option<ClockOffset>,
    /// Why the load was stopped, when that was decided. The end of the pod is no decision about the load.
    pub stopped: Option<StopReason>,
    /// This process was told to end before Taurus had ended.
    pub terminated: bool,
    /// Fewest bytes that were free on the worker's disk while the load ran.
    pub least_free: Option<u64>,
    /// What became of its live frames, where any are told.
    pub frames: Option<FrameCounts>,
}

impl Seen {
    /// Whether the load ran its full time, or ended by decision. A full disk and the end of the others decide for one worker only, so
    /// that what is missing from it is missing from the run.
    #[must_use]
    pub fn complete(&self, planned_ms: u64) -> bool {
        match self.stopped {
            Some(StopReason::DiskFull) => return false,
            Some(StopReason::DeadlineExceeded) if self.late().is_some() => return false,
            Some(_) => return true,
            None => {}
        }
        !self.terminated && self.ran().is_some_and(|ran| ran >= planned(planned_ms).saturating_sub(TOLERANCE))
    }

    /// How late the gate opened; `None`: in time, or never.
    fn late(&self) -> Option<SignedDuration> {
        let (start, released) = self.start.as_ref().zip(self.released.as_ref())?;
        start.lateness(released.at)
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

/// What an attempt has to say.
#[derive(Debug)]
pub struct Statement<'a> {
    /// The run.
    pub definition: &'a Definition,
    /// Which attempt.
    pub worker: &'a WorkerAttempt,
    /// What was seen of it.
    pub seen: &'a Seen,
    /// What it measured.
    pub measured: Measured,
    /// How its load generator was.
    pub health: WorkerHealth,
    /// From which files.
    pub sample_files: Vec<SampleFile>,
    /// What a reader should know besides.
    pub warnings: Vec<String>,
}

impl Statement<'_> {
    /// The manifest of an attempt that is over.
    #[must_use]
    pub fn manifest(self, objects: BTreeMap<String, ObjectDigest>) -> Manifest {
        let planned_ms = self.definition.load.duration_ms();
        let mut warnings = ending(self.seen, planned_ms);
        warnings.extend(figures(self.seen, &self.measured));
        if self.seen.released.is_some() && self.measured.overview.samples == 0 && self.seen.stopped.is_none() {
            warnings.push("the gate opened, but no sample was written".to_owned());
        }
        let complete = self.seen.complete(planned_ms);
        self.build(complete, warnings, objects)
    }

    /// What the manifest of an attempt would be that ended now, by something that lets nobody write one.
    #[must_use]
    pub fn so_far(self, objects: BTreeMap<String, ObjectDigest>) -> Manifest {
        let warnings = figures(self.seen, &self.measured);
        self.build(false, warnings, objects)
    }

    fn build(self, complete: bool, mut warnings: Vec<String>, objects: BTreeMap<String, ObjectDigest>) -> Manifest {
        warnings.extend(self.warnings);
        let left_out = warnings.len().saturating_sub(MAXIMUM_WARNINGS);
        if left_out > 0 {
            warnings.truncate(MAXIMUM_WARNINGS);
            warnings.push(format!("{left_out} more warnings are left out"));
        }
        let prepared = self.seen.prepared.as_ref();
        Manifest {
            version: DOCUMENT_VERSION,
            run_uid: self.definition.run.uid.clone(),
            worker: self.worker.clone(),
            taurus: prepared.and_then(|prepared| prepared.taurus.clone()),
            engines: prepared.map(|prepared| prepared.engines.clone()).unwrap_or_default(),
            exit_code: self.seen.ended.as_ref().and_then(|ended| ended.exit_code),
            released_at: self.seen.released.as_ref().map(|released| released.at),
            first_sample_at: self.measured.overview.first_start_us.and_then(instant),
            last_sample_at: self.measured.overview.last_end_us.and_then(instant),
            clock: self.seen.clock,
            complete,
            stopped: self.seen.stopped,
            counters: self.measured.counters,
            frames: self.seen.frames,
            health: Some(self.health),
            sample_files: self.sample_files,
            objects,
            warnings,
        }
    }
}

/// What is to be said about the end.
fn ending(seen: &Seen, planned_ms: u64) -> Vec<String> {
    let failed = seen.failed.as_ref().map(|failure| format!("the worker failed: {}", failure.words));
    let code = seen.ended.as_ref().and_then(|ended| ended.exit_code);
    let code = code.filter(|code| *code != 0 && seen.stopped.is_none());
    let code = code.map(|code| format!("Taurus ended with exit code {code}; its log says why"));
    failed.into_iter().chain(early_end(seen, planned_ms)).chain(code).collect()
}

/// What is to be said about the figures and what they are of.
fn figures(seen: &Seen, measured: &Measured) -> Vec<String> {
    let overview = &measured.overview;
    let mut warnings = Vec::new();
    if let Some(free) =
        seen.least_free.filter(|free| *free < disk::LITTLE && seen.stopped != Some(StopReason::DiskFull))
    {
        warnings.push(format!(
            "only {} MiB were free on the worker's disk; below {} MiB the load is stopped",
            free >> 20,
            disk::TOO_LITTLE >> 20
        ));
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
    warnings.extend(seen.frames.and_then(untold));
    warnings.extend(seen.prepared.iter().flat_map(|prepared| prepared.notes.iter().cloned()));
    warnings
}

/// What the live figures lack.
fn untold(FrameCounts { written, dropped, left_out }: FrameCounts) -> Option<String> {
    let lacking = match (dropped, left_out) {
        (0, 0) => return None,
        (dropped, 0) => format!("{dropped} of {} frames, which the storage did not take in time", written + dropped),
        (0, left_out) => format!("{left_out} samples, whose time stamps are too far apart"),
        (dropped, left_out) => format!("{dropped} frames and {left_out} samples"),
    };
    Some(format!("the live figures lack {lacking}; this result does not"))
}

/// Why the load did not run its full time.
fn early_end(seen: &Seen, planned_ms: u64) -> Option<String> {
    if seen.complete(planned_ms) {
        return None;
    }
    let planned = planned(planned_ms).as_secs_f64();
    Some(match (seen.ran(), seen.stopped) {
        _ if seen.terminated => "the pod was told to end while the load ran".to_owned(),
        (_, Some(StopReason::DeadlineExceeded)) => format!(
            "it began {:.1} s after the start instant, and its load ended with that of the others",
            seen.late().unwrap_or_default().as_secs_f64()
        ),
        (ran, Some(StopReason::DiskFull)) => format!(
            "the load was stopped after {:.1} s of {planned:.1} s because the worker's disk was nearly full; without \
             artifacts.samples the space of rows that were read is given back",
            ran.unwrap_or_default().as_secs_f64()
        ),
        (Some(ran), _) => {
            format!("Taurus ended {:.1} s after the gate opened; {planned:.1} s were planned", ran.as_secs_f64())
        }
        (None, _) => "the gate never opened, or its opening was not seen".to_owned(),
    })
}

fn instant(microseconds: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(microseconds).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Of a start so many milliseconds before the gate opened.
    fn start(before_ms: i64) -> StartDecision {
        StartDecision {
            version: 1,
            start_at: Timestamp::from_millisecond(-before_ms).unwrap(),
            regions: vec!["here".into()],
            late_workers: volley_storage::documents::LateWorkers::Join,
            left_out: [].into(),
        }
    }

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
        assert_eq!(figures(&seen, &Measured::default()), prepared.notes);
    }

    #[rstest]
    #[case::full_time(seen(60_500), true)]
    #[case::within_the_tolerance(seen(59_000), true)]
    #[case::too_early(seen(58_999), false)]
    #[case::stopped_early(Seen { stopped: Some(StopReason::Requested), ..seen(10_000) }, true)]
    #[case::stopped_in_the_gate(Seen { stopped: Some(StopReason::Requested), ..Seen::default() }, true)]
    #[case::disk_full(Seen { stopped: Some(StopReason::DiskFull), ..seen(10_000) }, false)]
    #[case::joined_late(Seen { stopped: Some(StopReason::DeadlineExceeded), start: Some(start(5_000)), ..seen(55_000) }, false)]
    #[case::too_long(Seen { stopped: Some(StopReason::DeadlineExceeded), start: Some(start(20)), ..seen(90_000) }, true)]
    #[case::pod_ended(Seen { terminated: true, ..seen(70_000) }, false)]
    #[case::end_not_seen(Seen { ended: None, ..seen(70_000) }, false)]
    fn a_worker_is_complete_when_its_load_ran_in_full_or_was_stopped(#[case] seen: Seen, #[case] complete: bool) {
        assert_eq!(seen.complete(60_000), complete);
        assert_eq!(
            ending(&seen, 60_000).iter().any(|text| {
                ["planned", "told to end", "never opened", "nearly full", "with that of the others"]
                    .iter()
                    .any(|words| text.contains(words))
            }),
            !complete
        );
    }

    #[rstest]
    #[case::enough(disk::LITTLE, None, false)]
    #[case::little(disk::LITTLE - 1, None, true)]
    #[case::said_already(0, Some(StopReason::DiskFull), false)]
    fn little_room_on_the_disk_is_said(#[case] free: u64, #[case] stopped: Option<StopReason>, #[case] said: bool) {
        let seen = Seen { least_free: Some(free), stopped, ..seen(60_000) };
        let warnings = figures(&seen, &Measured::default());
        assert_eq!(warnings.iter().any(|text| text.contains("MiB were free")), said, "{warnings:?}");
    }
}
