//! What a person wants to know of a run at one instant. Pure: a run and an instant in, words out.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use volley_api::Duration;
use volley_api::figures::{rate, ratio, time_us};
use volley_api::load_test_run::{LiveFigures, LoadTestRun, Phase};
use volley_stats::health::WHOLE_PPM;
use volley_storage::documents::LiveFrame;

use super::ending::Ending;

/// Workers of one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionWorkers {
    /// Name of the RegionTarget.
    pub target: String,
    /// Workers at the gate or past it.
    pub ready: i64,
    /// Workers that the plan asks for.
    pub planned: i64,
}

/// A run at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The phase; `None`: the operator has not looked at the run yet.
    pub phase: Option<Phase>,
    /// Workers by region, in the order of the status.
    pub regions: Vec<RegionWorkers>,
    /// Seconds until the load starts, while it has not.
    pub starts_in: Option<u64>,
    /// Seconds of load left, from the start instant to the planned end.
    pub load_left: Option<u64>,
    /// Newest figures, while the aggregator publishes them.
    pub live: Option<LiveFigures>,
    /// What keeps the run from going on, for people; each says where.
    pub notes: Vec<String>,
    /// How it ended, once it has.
    pub ending: Option<Ending>,
}

impl Snapshot {
    /// The run as it is at `now`.
    #[must_use]
    pub fn of(run: &LoadTestRun, now: Timestamp) -> Self {
        let status = run.status.clone().unwrap_or_default();
        let start = status.start_at.as_ref().map(|time| time.0);
        let duration_ms = status
            .plan
            .as_ref()
            .and_then(|plan| plan.duration.parse::<Duration>().ok())
            .map(|duration| i64::try_from(duration.milliseconds()).unwrap_or(i64::MAX));
        let now_ms = now.as_millisecond();
        let until_start_ms = start.map(|start| start.as_millisecond().saturating_sub(now_ms));
        let starts_in = until_start_ms.filter(|left| *left > 0).map(whole_seconds);
        let load_left = match (until_start_ms, duration_ms) {
            // Before the start the whole load is left, whatever the clocks of this machine and the cluster differ.
            (Some(until), Some(duration)) => Some(whole_seconds(until.min(0).saturating_add(duration))),
            _ => None,
        };
        let notes = status
            .regions
            .iter()
            .filter_map(|region| {
                region.message.as_ref().map(|message| format!("{}: {}", region.target, one_line(message)))
            })
            .collect();
        let regions = status
            .regions
            .into_iter()
            .map(|region| RegionWorkers { target: region.target, ready: region.prepared, planned: region.planned })
            .collect();
        Self { phase: status.phase, regions, starts_in, load_left, live: status.live, notes, ending: Ending::of(run) }
    }

    /// Whether workers may have reported something already.
    #[must_use]
    pub fn has_load(&self) -> bool {
        matches!(self.phase, Some(Phase::Running | Phase::Collecting))
    }

    /// The same with the figures of a frame, where they are newer than those of the status.
    #[must_use]
    pub fn seeing(mut self, frame: Option<&LiveFrame>) -> Self {
        let figures = frame.and_then(live_figures);
        if let Some(figures) = figures
            && self.live.as_ref().is_none_or(|live| live.at.0 <= figures.at.0)
        {
            self.live = Some(figures);
        }
        self
    }

    /// One line: phase, workers ready of planned, seconds of load left, newest figures.
    #[must_use]
    pub fn line(&self) -> String {
        let mut parts =
            vec![format!("{:<12}", self.phase.map_or_else(|| "Waiting".into(), |phase| format!("{phase:?}")))];
        let detail = match self.phase {
            None => Some("for the operator to take up the run".to_owned()),
            Some(Phase::Pending | Phase::Queued | Phase::Provisioning | Phase::Ready | Phase::Running) => {
                self.workers()
            }
            Some(Phase::Collecting) => Some("the load has ended, the workers upload what they measured".to_owned()),
            Some(Phase::Aggregating) => Some("merging what the workers measured".to_owned()),
            Some(Phase::Succeeded | Phase::Failed | Phase::Stopped | Phase::Skipped) => None,
        };
        parts.extend(detail);
        match (self.phase, self.starts_in, self.load_left) {
            (Some(Phase::Ready | Phase::Running), Some(seconds), _) => {
                parts.push(format!("load starts in {seconds} s"));
            }
            (Some(Phase::Running), None, Some(seconds)) => parts.push(format!("{seconds} s of load left")),
            _ => {}
        }
        if let (Some(Phase::Running), Some(live)) = (self.phase, &self.live) {
            let p95 = live.p95.as_ref().map_or_else(String::new, |p95| format!(", p95 {p95}"));
            parts.push(format!("{} users, {}, errors {}{p95}", live.users, live.request_rate, live.error_rate));
            parts.extend(live.saturated_workers.map(|saturated| {
                let workers = if saturated == 1 { "worker" } else { "workers" };
                format!("{saturated} {workers} SATURATED")
            }));
        }
        parts.join("  ").trim_end().to_owned()
    }

    /// `3 of 4 workers ready (eu-west-1 1/2, us-east-1 2/2)`; nothing before the plan.
    fn workers(&self) -> Option<String> {
        if self.regions.is_empty() {
            return None;
        }
        let ready: i64 = self.regions.iter().map(|region| region.ready).sum();
        let planned: i64 = self.regions.iter().map(|region| region.planned).sum();
        let by_region: Vec<_> = self
            .regions
            .iter()
            .map(|region| format!("{} {}/{}", region.target, region.ready, region.planned))
            .collect();
        Some(format!("{ready} of {planned} workers ready ({})", by_region.join(", ")))
    }
}

/// A frame in the form in which the status has the newest figures.
fn live_figures(frame: &LiveFrame) -> Option<LiveFigures> {
    let figures = &frame.totals.figures;
    Some(LiveFigures {
        at: Time(Timestamp::from_second(frame.second.checked_add(1)?).ok()?),
        users: i64::try_from(frame.totals.users).unwrap_or(i64::MAX),
        request_rate: rate(figures.requests, u64::from(frame.interval) * 1_000_000),
        error_rate: ratio(figures.errors, figures.requests),
        p50: figures.p50_us.map(time_us),
        p95: figures.p95_us.map(time_us),
        p99: figures.p99_us.map(time_us),
        highest_worker_cpu: frame.generators.max_cpu_ppm.map(|share| ratio(share, WHOLE_PPM)),
        saturated_workers: Some(i64::from(frame.generators.saturated)).filter(|saturated| *saturated > 0),
    })
}

/// Seconds, rounded up, never negative: a load of 1 ms still takes a second to the eye.
fn whole_seconds(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds).unwrap_or(0).div_ceil(1000)
}

/// Words of an engine or a cluster on one line and without control characters, which could rewrite the terminal.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace()
        .map(|word| word.chars().filter(|character| !character.is_control()).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::sample::{live_frame, run};
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn regions() -> serde_json::Value {
        json!([{"target": "eu", "planned": 2, "created": 2, "prepared": 1},
               {"target": "us", "planned": 2, "created": 2, "prepared": 2}])
    }

    #[test]
    fn a_line_says_phase_workers_and_seconds_left() {
        let plan = json!({"workers": 4, "duration": "30s", "workerImage": "w", "volleyImage": "v"});
        let start = at(0).to_string();
        for (status, second, expected) in [
            (json!({}), 0, "Waiting       for the operator to take up the run"),
            (json!({"phase": "Pending"}), 0, "Pending"),
            (
                json!({"phase": "Provisioning", "regions": regions(), "plan": plan}),
                0,
                "Provisioning  3 of 4 workers ready (eu 1/2, us 2/2)",
            ),
            (
                json!({"phase": "Ready", "regions": regions(), "plan": plan, "startAt": start}),
                -5,
                "Ready         3 of 4 workers ready (eu 1/2, us 2/2)  load starts in 5 s",
            ),
            (
                json!({"phase": "Running", "regions": regions(), "plan": plan, "startAt": start}),
                12,
                "Running       3 of 4 workers ready (eu 1/2, us 2/2)  18 s of load left",
            ),
            (
                json!({"phase": "Running", "regions": regions(), "plan": plan, "startAt": start}),
                99,
                "Running       3 of 4 workers ready (eu 1/2, us 2/2)  0 s of load left",
            ),
            (
                json!({"phase": "Running", "plan": plan, "startAt": start,
                       "live": {"at": start, "users": 8, "requestRate": "398/s", "errorRate": "0.12%"}}),
                29,
                "Running       1 s of load left  8 users, 398/s, errors 0.12%",
            ),
            (
                json!({"phase": "Collecting", "regions": regions()}),
                31,
                "Collecting    the load has ended, the workers upload what they measured",
            ),
            (json!({"phase": "Succeeded"}), 40, "Succeeded"),
        ] {
            assert_eq!(Snapshot::of(&run(status), at(second)).line(), expected);
        }
    }

    #[test]
    fn the_newer_of_status_and_frame_is_shown() {
        let live = |second: i64| {
            let status = json!({"phase": "Running",
                "live": {"at": at(second).to_string(), "users": 8, "requestRate": "5/s", "errorRate": "0%"}});
            Snapshot::of(&run(status), at(20)).seeing(Some(&live_frame(at(9).as_second()))).line()
        };
        assert_eq!(live(5), "Running       40 users, 398/s, errors 0.503%, p95 31.1ms");
        assert_eq!(live(11), "Running       8 users, 5/s, errors 0%");
    }

    #[test]
    fn saturated_workers_are_in_the_line_as_long_as_there_are_any() {
        let mut frame = live_frame(at(9).as_second());
        let status = || json!({"phase": "Running"});
        for (saturated, words) in [(0, ""), (1, "  1 worker SATURATED"), (2, "  2 workers SATURATED")] {
            frame.generators.saturated = saturated;
            let line = Snapshot::of(&run(status()), at(20)).seeing(Some(&frame)).line();
            assert_eq!(line, format!("Running       40 users, 398/s, errors 0.503%, p95 31.1ms{words}"));
        }
    }

    #[test]
    fn before_the_start_the_whole_load_is_left() {
        let status = json!({"phase": "Ready", "startAt": at(0).to_string(),
            "plan": {"workers": 1, "duration": "10s", "workerImage": "w", "volleyImage": "v"}});
        let snapshot = Snapshot::of(&run(status), at(-100));
        assert_eq!((snapshot.starts_in, snapshot.load_left), (Some(100), Some(10)));
    }

    #[test]
    fn a_message_of_a_region_is_a_note_on_one_line_without_control_characters() {
        let status = json!({"regions": [{"target": "eu", "planned": 1, "created": 1, "prepared": 0,
            "message": "image cannot\nbe pulled \u{1b}[31mred"}]});
        assert_eq!(Snapshot::of(&run(status), at(0)).notes, ["eu: image cannot be pulled [31mred"]);
    }
}
