//! Thresholds in exact numbers.

use volley_api::load_test::{Abort, LoadTestSpec, Threshold};
use volley_stats::thresholds::{Amount, Comparison, Criterion, Metric};
use volley_storage::documents;

use super::Problem;

/// Seconds that a threshold with `abort` looks at together, at most: the aggregator keeps their distributions in memory.
const LONGEST_ABORT_SECONDS: u32 = 120;

/// The thresholds as they are frozen, in their order.
pub(super) fn convert(spec: &LoadTestSpec) -> Result<Vec<documents::Threshold>, Problem> {
    let frozen = spec.thresholds.iter().map(|threshold| {
        if threshold.abort.is_some() && !spec.live.enabled {
            return Err(Problem::invalid(format!(
                "spec.thresholds: {} has abort, which needs live figures; leave spec.live.enabled out, or leave abort out",
                threshold.name
            )));
        }
        if let Some(region) = &threshold.region
            && !spec.regions.iter().any(|load| load.target == *region)
        {
            return Err(Problem::invalid(format!(
                "spec.thresholds: {} speaks of region {region}, which is no target of spec.regions",
                threshold.name
            )));
        }
        let criterion = criterion(threshold)
            .map_err(|words| Problem::invalid(format!("spec.thresholds: {}: {words}", threshold.name)))?;
        Ok(documents::Threshold {
            name: threshold.name.clone(),
            label: threshold.label.clone(),
            target: threshold.region.clone(),
            criterion,
            abort: threshold.abort.as_ref().map(|abort| frozen_abort(&threshold.name, abort)).transpose()?,
        })
    });
    frozen.collect()
}

fn frozen_abort(name: &str, abort: &Abort) -> Result<documents::Abort, Problem> {
    let length = abort.length.milliseconds();
    match u32::try_from(length / 1_000) {
        Ok(for_seconds @ 1..=LONGEST_ABORT_SECONDS) if length.is_multiple_of(1_000) => {
            Ok(documents::Abort { after_ms: abort.after.milliseconds(), for_seconds })
        }
        _ => Err(Problem::invalid(format!(
            "spec.thresholds: {name}: abort.for is {}; write whole seconds from 1s to {LONGEST_ABORT_SECONDS}s",
            abort.length
        ))),
    }
}

fn criterion(threshold: &Threshold) -> Result<Criterion, String> {
    let (comparison, limit) = match (&threshold.below, &threshold.above) {
        (Some(limit), None) => (Comparison::Below, limit),
        (None, Some(limit)) => (Comparison::Above, limit),
        _ => return Err("write exactly one of below, above".to_owned()),
    };
    let metric = threshold.metric.parse::<Metric>().map_err(|error| error.to_string())?;
    let limit = limit.to_string().parse::<Amount>().map_err(|error| error.to_string())?;
    Criterion::new(metric, comparison, limit).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use volley_api::crd::Kind;
    use volley_api::validate::Validator;

    use super::*;

    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| Validator::new().unwrap());

    /// A test with these thresholds in the region eu.
    fn object(thresholds: &Value) -> Value {
        json!({"metadata": {"name": "checkout"}, "spec": {
            "scenario": {"locust": {"script": {"inline": "x"}}}, "load": {"usersPerWorker": 1, "holdFor": "1s"},
            "regions": [{"target": "eu", "workers": 1}], "thresholds": thresholds}})
    }

    fn frozen(object: &Value) -> Result<Vec<documents::Threshold>, Problem> {
        convert(&serde_json::from_value(object["spec"].clone()).unwrap())
    }

    #[test]
    fn a_threshold_is_frozen_in_exact_numbers() {
        let written = json!([
            {"name": "fast", "metric": "p99", "label": "home", "region": "eu", "below": "1500ms"},
            {"name": "busy", "metric": "requests", "above": 1000, "abort": {"after": "1m", "for": "10s"}},
        ]);
        assert_eq!(
            json!(frozen(&object(&written)).unwrap()),
            json!([
                {"name": "fast", "label": "home", "target": "eu",
                 "criterion": {"metric": "p99", "comparison": "Below", "limit": "1.5s"}},
                {"name": "busy", "label": null, "target": null,
                 "criterion": {"metric": "requests", "comparison": "Above", "limit": "1000"},
                 "abort": {"afterMs": 60_000, "forSeconds": 10}},
            ])
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_the_thresholds_name() {
        for (written, words) in [
            (json!({"name": "fast", "metric": "p99"}), "exactly one"),
            (json!({"name": "fast", "metric": "p99", "below": 300}), "300ms"),
            (json!({"name": "fast", "metric": "p999", "below": "1s"}), "p999"),
            (json!({"name": "fast", "metric": "p99", "below": "1 s"}), "1 s"),
            (
                json!({"name": "fast", "metric": "p99", "below": "1s", "abort": {"after": "1s", "for": "1500ms"}}),
                "1500ms",
            ),
            (json!({"name": "fast", "metric": "p99", "region": "us", "below": "1s"}), "region us"),
        ] {
            let message = frozen(&object(&json!([written]))).unwrap_err().to_string();
            assert!(message.starts_with("spec.thresholds: fast") && message.contains(words), "{message}");
        }
    }

    /// Texts that are limits, or nearly.
    fn limit() -> impl Strategy<Value = Value> {
        let number = prop_oneof!["[0-9]{1,3}", "[0-9]{1,10}", "[0-9]{14,16}", "100", "0"];
        let fraction = prop_oneof![3 => Just(String::new()), 1 => "\\.[0-9]{0,4}", 1 => "\\.0{1,3}"];
        let unit = prop_oneof![
            4 => prop::sample::select(vec!["ms", "s", "%", "/s", ""]).prop_map(str::to_owned),
            1 => prop::sample::select(vec!["us", " ms", "m", "/min", "S", "sec", "%%", "/ s", "mss"]).prop_map(str::to_owned),
        ];
        prop_oneof![
            8 => (number, fraction, unit).prop_map(|(number, fraction, unit)| json!(format!("{number}{fraction}{unit}"))),
            1 => (-2_i64..2_000_000_000_000_000).prop_map(|number| json!(number)),
            1 => "[-+0-9.a-z%/ ]{0,8}".prop_map(|text| json!(text)),
        ]
    }

    fn metric() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "average",
                "min",
                "max",
                "errorRate",
                "requestRate",
                "requests",
                "p99",
                "p99.50",
                "p9.",
                "avg",
                "P50",
            ])
            .prop_map(str::to_owned),
            "p[0-9]{1,3}(\\.[0-9]{0,3}[1-9])?",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        /// The API server and the engine know the same thresholds: what one accepts the other understands, and the other way round
        /// but for needless zeros of a percentile.
        #[test]
        fn what_the_rules_accept_can_be_frozen_and_nothing_else(
            metric in metric(), limit in limit(), below in any::<bool>(),
        ) {
            prop_assume!(!(metric.len() > 2 && metric.starts_with("p0")) || metric.starts_with("p0."));
            let side = if below { "below" } else { "above" };
            let written = json!({"name": "fast", "metric": metric, side: limit});
            let object = object(&json!([written]));
            let violations = VALIDATOR.check(Kind::LoadTest, &object);
            let frozen = frozen(&object);
            prop_assert_eq!(violations.is_empty(), frozen.is_ok(), "{}: {:?}, {:?}", written, violations, frozen);
        }
    }
}
