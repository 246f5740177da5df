//! The final report of a run, from its status alone: rights to `kubectl get` it are enough.

use serde_json::{Value, json};
use volley_api::figures::{bytes, ratio};
use volley_api::load_test_run::{LoadTestRun, RegionResult, RunResult, SkewSummary};

use super::formats::{on_fargate, thresholds, verdict};
use super::table::{NOTHING, render};
use super::text::short_label;
use crate::follow::ending::Ending;
use crate::follow::snapshot::one_line;

const REGIONS_HEADER: [&str; 7] =
    ["REGION", "STARTED", "LATE", "LOST", "IN PART", "RELEASE SKEW P99", "FIRST SAMPLE SKEW P99"];
const HEADER: [&str; 9] = ["LABEL", "REQUESTS", "ERRORS", "ERROR RATE", "RATE", "AVERAGE", "P50", "P95", "P99"];

/// The report of a run that has ended, as a table with what belongs around it.
#[must_use]
pub fn text(run: &LoadTestRun, ending: &Ending) -> String {
    let (namespace, name) = names(run);
    let mut lines = vec![headline(namespace, name, ending)];
    match run.status.as_ref().and_then(|status| status.result.as_ref()) {
        Some(result) => lines.push(figures(result)),
        None => lines.push("There is no result: no load was measured.".into()),
    }
    lines.push(look_further(namespace, name));
    lines.join("\n\n") + "\n"
}

/// What `status.result` says: verdict, coverage, table, warnings.
#[must_use]
pub fn figures(result: &RunResult) -> String {
    let coverage = &result.coverage;
    let partial = match coverage.partial {
        0 => String::new(),
        partial => format!(", {partial} of them in part"),
    };
    let received = match result.bytes {
        None => String::new(),
        Some(received) => format!("; {} received", bytes(u64::try_from(received).unwrap_or(0))),
    };
    let cost = result.cost.as_deref().map_or_else(String::new, |cost| format!("; {}", on_fargate(cost)));
    let judged = thresholds(&result.thresholds).map_or_else(String::new, |thresholds| format!("{thresholds}\n\n"));
    let mut text = format!(
        "Verdict {}\nWorkers {} of {} measured{partial}{received}{cost}\n\n{judged}{}",
        verdict(result.verdict),
        coverage.workers_measured,
        coverage.workers_planned,
        table(result)
    );
    if let Some(regions) = regions(&result.regions) {
        text.push_str("\n\n");
        text.push_str(&regions);
    }
    if !result.warnings.is_empty() {
        text.push_str("\n\nWarnings:");
        for warning in &result.warnings {
            text.push_str("\n  - ");
            text.push_str(&one_line(warning));
        }
    }
    text
}

/// Requests, errors, rate and times per label and over all.
fn table(result: &RunResult) -> String {
    let labels = result.labels.iter().map(|label| {
        [
            short_label(&label.label),
            label.requests.to_string(),
            label.errors.to_string(),
            ratio(count(label.errors), count(label.requests)),
            label.request_rate.clone(),
            time(label.average.as_ref()),
            time(label.p50.as_ref()),
            time(label.p95.as_ref()),
            time(label.p99.as_ref()),
        ]
    });
    let total = [
        "total".to_owned(),
        result.requests.to_string(),
        result.errors.to_string(),
        result.error_rate.clone(),
        result.request_rate.clone(),
        time(result.average.as_ref()),
        time(result.p50.as_ref()),
        time(result.p95.as_ref()),
        time(result.p99.as_ref()),
    ];
    render(HEADER, labels.chain([total]))
}

/// How each region took part, where there are several.
fn regions(regions: &[RegionResult]) -> Option<String> {
    if regions.len() < 2 {
        return None;
    }
    let rows = regions.iter().map(|region| {
        let name = match region.left_out {
            Some(_) => format!("{} (did not run)", region.target),
            None => region.target.clone(),
        };
        let late = match (region.late, &region.latest) {
            (Some(late), Some(latest)) => format!("{late} (by up to {latest})"),
            (late, _) => late.unwrap_or(0).to_string(),
        };
        [
            name,
            region.started.to_string(),
            late,
            region.lost.to_string(),
            region.partial.to_string(),
            skew(region.release_skew.as_ref()),
            skew(region.first_sample_skew.as_ref()),
        ]
    });
    Some(render(REGIONS_HEADER, rows))
}

/// `3.1ms ± 12ms`.
fn skew(skew: Option<&SkewSummary>) -> String {
    match skew {
        Some(SkewSummary { p99, bound: Some(bound), .. }) => format!("{p99} ± {bound}"),
        Some(SkewSummary { p99, bound: None, .. }) => p99.clone(),
        None => NOTHING.into(),
    }
}

fn time(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| NOTHING.into())
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The report of a run that has ended, as JSON: who, how, and `status.result` as it is.
#[must_use]
pub fn json(run: &LoadTestRun, ending: &Ending) -> Value {
    let (namespace, name) = names(run);
    json!({
        "run": name,
        "namespace": namespace,
        "uid": run.metadata.uid,
        "phase": ending.phase,
        "verdict": ending.verdict,
        "reason": ending.reason,
        "message": ending.message,
        "exitCode": ending.exit.code(),
        "result": run.status.as_ref().and_then(|status| status.result.as_ref()),
    })
}

fn names(run: &LoadTestRun) -> (&str, &str) {
    let metadata = &run.metadata;
    (metadata.namespace.as_deref().unwrap_or("default"), metadata.name.as_deref().unwrap_or_default())
}

fn headline(namespace: &str, name: &str, ending: &Ending) -> String {
    let phase = ending.phase.map_or_else(|| "Ended".to_owned(), |phase| format!("{phase:?}"));
    let message = one_line(&ending.message);
    let separator = if message.is_empty() { "" } else { ": " };
    format!("Run {namespace}/{name} {phase} ({}){separator}{message}", ending.reason)
}

fn look_further(namespace: &str, name: &str) -> String {
    format!(
        "Look further:\n  \
         kubectl -n {namespace} describe loadtestrun {name}\n  \
         kubectl -n {namespace} get loadtestrun {name} -o yaml\n  \
         volley result {name} -n {namespace} -o json"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::sample;
    use rstest::rstest;
    use serde_json::json;

    fn ended(succeeded: (&str, &str), result: Option<Value>) -> (LoadTestRun, Ending) {
        let mut status = json!({"phase": if succeeded.0 == "True" { "Succeeded" } else { "Failed" }, "conditions": [
            sample::condition("Finished", "True", "Ended"),
            sample::condition("Succeeded", succeeded.0, succeeded.1)]});
        if let Some(result) = result {
            status["result"] = result;
        }
        let run = sample::run(status);
        let ending = Ending::of(&run).unwrap();
        (run, ending)
    }

    #[test]
    fn the_report_has_the_table_and_the_commands_to_look_further() {
        let (run, ending) = ended(("True", "Completed"), Some(sample::result("NotJudged")));
        let expected = "\
Run shop/checkout-1 Succeeded (Completed): Completed.

Verdict NotJudged: there are no thresholds
Workers 2 of 2 measured; 87.9 KiB received

LABEL  REQUESTS  ERRORS  ERROR RATE  RATE  AVERAGE   P50   P95   P99
home       1200       3       0.25%  40/s     21ms  20ms  35ms  52ms
total      1200       3       0.25%  40/s     21ms  20ms  35ms  52ms

Look further:
  kubectl -n shop describe loadtestrun checkout-1
  kubectl -n shop get loadtestrun checkout-1 -o yaml
  volley result checkout-1 -n shop -o json
";
        assert_eq!(text(&run, &ending), expected);
    }

    #[test]
    fn warnings_and_partial_workers_are_said() {
        let mut result = sample::result("Inconclusive");
        result["coverage"] = json!({"workersPlanned": 3, "workersMeasured": 2, "partial": 1, "complete": false});
        result["warnings"] = json!(["local/2 is lost: no manifest\nafter 120 s"]);
        let (run, ending) = ended(("False", "Inconclusive"), Some(result));
        let text = text(&run, &ending);
        assert!(text.contains("2 of 3 measured, 1 of them in part"), "{text}");
        assert!(text.contains("\nWarnings:\n  - local/2 is lost: no manifest after 120 s\n"), "{text}");
    }

    #[test]
    fn each_threshold_is_told_in_a_sentence_without_anything_that_acts() {
        let mut result = sample::result("Failed");
        result["thresholds"] = json!([
            {"name": "fast", "metric": "p99 of \u{1b}[1mhome", "limit": "below 60ms", "observed": "52ms", "outcome": "Met"},
            {"name": "clean", "metric": "errorRate", "limit": "below 0.25%", "observed": "0.25%", "outcome": "Missed"},
            {"name": "cart", "metric": "p99 of cart", "limit": "below 1s", "outcome": "NotJudged", "reason": "no request"},
        ]);
        let (run, ending) = ended(("False", "ThresholdsFailed"), Some(result));
        let expected = "
Verdict Failed: a threshold was missed
Workers 2 of 2 measured; 87.9 KiB received

Thresholds:
  met         fast: p99 of \\u{1b}[1mhome is 52ms, below 60ms
  MISSED      clean: errorRate is 0.25%, not below 0.25%
  not judged  cart: no request

LABEL ";
        let text = text(&run, &ending);
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn of_several_regions_it_is_said_how_each_took_part() {
        let mut result = sample::result("NotJudged");
        result["regions"] = json!([
            {"target": "eu", "started": 4, "late": 1, "latest": "12.3s", "lost": 0, "partial": 1,
             "releaseSkew": {"p50": "3ms", "p99": "8.2ms", "max": "8.2ms", "bound": "15ms"},
             "firstSampleSkew": {"p50": "1s", "p99": "1.2s", "max": "1.2s"}},
            {"target": "us", "leftOut": "away", "started": 0, "lost": 4, "partial": 0}]);
        let (run, ending) = ended(("True", "Completed"), Some(result));
        let expected = "
REGION            STARTED                LATE  LOST  IN PART  RELEASE SKEW P99  FIRST SAMPLE SKEW P99
eu                      4  1 (by up to 12.3s)     0        1      8.2ms ± 15ms                   1.2s
us (did not run)        0                   0     4        0                 -                      -
";
        let text = text(&run, &ending);
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn bytes_that_the_engine_does_not_say_are_left_out() {
        let mut result = sample::result("NotJudged");
        result.as_object_mut().unwrap().remove("bytes");
        let (run, ending) = ended(("True", "Completed"), Some(result));
        let text = text(&run, &ending);
        assert!(text.contains("\nWorkers 2 of 2 measured\n\n"), "{text}");
    }

    #[test]
    fn a_run_without_a_result_says_so() {
        let (run, ending) = ended(("False", "ScriptFailed"), None);
        let text = text(&run, &ending);
        assert!(
            text.starts_with("Run shop/checkout-1 Failed (ScriptFailed): ScriptFailed.\n\nThere is no result"),
            "{text}"
        );
        assert_eq!(json(&run, &ending)["exitCode"], 3);
    }

    #[rstest]
    #[case("True", "Completed", Some("Passed"), 0)]
    #[case("True", "Completed", Some("NotJudged"), 0)]
    #[case("False", "ThresholdsFailed", Some("Failed"), 1)]
    #[case("False", "ThresholdsAborted", Some("Failed"), 1)]
    #[case("False", "Inconclusive", Some("Inconclusive"), 4)]
    #[case("False", "WorkersLost", Some("Failed"), 1)]
    #[case("False", "WorkersLost", Some("Inconclusive"), 4)]
    #[case("False", "WorkersLost", None, 4)]
    #[case("False", "DeadlineExceeded", None, 4)]
    #[case("False", "DiskFull", Some("Inconclusive"), 4)]
    #[case("False", "Uncontrolled", Some("Inconclusive"), 4)]
    #[case("False", "Stopped", Some("Failed"), 1)]
    #[case("False", "Stopped", Some("Inconclusive"), 4)]
    #[case("False", "Stopped", None, 4)]
    #[case("False", "InvalidDefinition", None, 3)]
    #[case("False", "SourceUnavailable", None, 3)]
    #[case("False", "TargetNotFound", None, 3)]
    #[case("False", "NamespaceNotAllowed", None, 3)]
    #[case("False", "RegionNotReady", None, 3)]
    #[case("False", "QuotaExceeded", None, 3)]
    #[case("False", "ImageUnavailable", None, 3)]
    #[case("False", "SecretUnavailable", None, 3)]
    #[case("False", "ScriptFailed", None, 3)]
    #[case("False", "StartTimedOut", None, 3)]
    #[case("False", "ClockSkewed", None, 3)]
    #[case("False", "ConcurrencyForbidden", None, 3)]
    #[case("False", "Superseded", None, 3)]
    #[case("False", "Replaced", None, 3)]
    #[case("False", "StartingDeadlineMissed", None, 3)]
    fn the_exit_code_follows_the_table_of_endings(
        #[case] succeeded: &str,
        #[case] reason: &str,
        #[case] verdict: Option<&str>,
        #[case] code: u8,
    ) {
        let (_, ending) = ended((succeeded, reason), verdict.map(sample::result));
        assert_eq!(ending.exit.code(), code);
    }

    #[test]
    fn a_run_that_is_not_finished_has_no_ending() {
        for conditions in [json!([]), json!([sample::condition("Finished", "False", "Running")])] {
            assert_eq!(Ending::of(&sample::run(json!({"conditions": conditions}))), None);
        }
    }
}
