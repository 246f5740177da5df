//! What the end of a run says about its thresholds.

use super::*;

#[rstest]
#[case::missed(
    None,
    &["Met", "Missed"],
    Verdict::Failed,
    "1 of 2 thresholds are missed (t1: p99 of home is 312ms, not below 300ms); 2 of 2 workers were measured"
)]
#[case::unjudged(
    None,
    &["NotJudged"],
    Verdict::Inconclusive,
    "The threshold cannot be judged (t0: no request); 2 of 2 workers were measured"
)]
#[case::met(
    None,
    &["Met"],
    Verdict::Passed,
    "The threshold is met (t0: p99 of home is 312ms, below 300ms); 100 requests, 1 errors; 2 of 2 workers were measured"
)]
#[case::met_but_too_little_was_measured(
    None,
    &["Met"],
    Verdict::Inconclusive,
    "Too little was measured to judge the run; 2 of 2 workers were measured"
)]
#[case::stopped_and_missed(
    Some(StopReason::Requested),
    &["Missed", "Missed", "Missed", "Missed"],
    Verdict::Failed,
    "Stopped: too hot; 4 of 4 thresholds are missed (t0: p99 of home is 312ms, not below 300ms; t1: p99 of home is \
     312ms, not below 300ms; t2: p99 of home is 312ms, not below 300ms; …); 2 of 2 workers were measured"
)]
#[case::aborted_although_the_whole_is_well(
    Some(StopReason::ThresholdsAborted),
    &["Met"],
    Verdict::Failed,
    "A threshold stopped the load: too hot; 2 of 2 workers were measured"
)]
fn the_end_says_which_thresholds_decided_it(
    #[case] stopped: Option<StopReason>,
    #[case] outcomes: &[&str],
    #[case] verdict: Verdict,
    #[case] words: &str,
) {
    let mut observed = closed(stopped);
    let mut result = result(verdict, 2, 0);
    let thresholds = (0..).zip(outcomes).map(|(number, outcome)| {
        let judged = *outcome != "NotJudged";
        json!({"name": format!("t{number}"), "metric": "p99 of home", "limit": "below 300ms", "outcome": outcome,
            "observed": judged.then_some("312ms"), "reason": (!judged).then_some("no request")})
    });
    result.thresholds = serde_json::from_value(thresholds.collect()).unwrap();
    observed.run.status.as_mut().unwrap().result = Some(result);
    assert_eq!(message(&plan(&observed, &POLICY, at("10:00:35"))), words);
}
