//! Thresholds of the command line, judged on files by the engine that judges a run.

use std::collections::BTreeSet;

use volley_aggregator::measured::Measured;
use volley_aggregator::result::thresholds::judged;
use volley_stats::thresholds::{Amount, Comparison, Criterion, Metric};
use volley_storage::documents::{Threshold, ThresholdFigures};

use super::gather::Gathered;

/// Reads a threshold such as `p99<300ms`, `errorRate<1%` or `p99.9(checkout)<1.5s`: a metric, a label in parentheses where it speaks of
/// one, `<` or `>`, and a limit.
///
/// # Errors
/// Words for people.
pub fn parse(text: &str) -> Result<Threshold, String> {
    // A label may hold every character; a limit holds neither sign.
    let Some(place) = text.rfind(['<', '>']) else {
        return Err("write a metric, < or > and a limit, for example 'p99<300ms' or 'p99(checkout)<300ms'".to_owned());
    };
    let (left, right) = text.split_at(place);
    let comparison = if right.starts_with('<') { Comparison::Below } else { Comparison::Above };
    let limit = right[1..].trim();
    if limit.starts_with('=') {
        return Err("write < or >; the limit itself is on neither side".to_owned());
    }
    let left = left.trim();
    let (metric, label) = match left.split_once('(') {
        None => (left, None),
        Some((metric, label)) => {
            let label = label.strip_suffix(')').filter(|label| !label.is_empty());
            let label = label.ok_or("write the label in parentheses, for example 'p99(checkout)<300ms'")?;
            (metric.trim(), Some(label.to_owned()))
        }
    };
    let metric = metric.parse::<Metric>().map_err(|error| error.to_string())?;
    let limit = limit.parse::<Amount>().map_err(|error| error.to_string())?;
    let criterion = Criterion::new(metric, comparison, limit).map_err(|error| error.to_string())?;
    Ok(Threshold { name: text.trim().to_owned(), label, target: None, criterion, abort: None })
}

/// Judges what was read; `None` where there is no threshold.
///
/// # Errors
/// Words for people, where what was read cannot be judged.
pub fn judge(gathered: &Gathered, thresholds: &[Threshold]) -> Result<Option<Vec<ThresholdFigures>>, &'static str> {
    if thresholds.is_empty() {
        return Ok(None);
    }
    let collection = match gathered {
        Gathered::Measured { collection, .. } => collection,
        Gathered::Run { run, .. } => run.histograms.as_ref().ok_or(
            "--threshold needs all response times: report the folder that holds the run's result.json and histograms, or leave \
             --threshold out to see the run's own thresholds",
        )?,
        Gathered::FinalStats { .. } => {
            return Err("--threshold needs all response times, which Taurus' summary does not have: report the sample files instead");
        }
    };
    let labels: BTreeSet<String> = thresholds.iter().filter_map(|threshold| threshold.label.clone()).collect();
    let measured = Measured::of_watching(&[(String::new(), (**collection).clone())], &labels);
    Ok(Some(judged(thresholds, &measured)))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use rstest::rstest;
    use volley_api::load_test_run::ThresholdOutcome;

    use super::*;
    use crate::report::gather::{Progress, gather};

    #[rstest]
    #[case("p99<300ms", "p99 below 300ms", None)]
    #[case(" requestRate > 400/s ", "requestRate above 400/s", None)]
    #[case("errorRate(GET /a<b>(x))<1%", "errorRate below 1%", Some("GET /a<b>(x)"))]
    #[case("p99.95 (checkout) < 1.5s", "p99.95 below 1.5s", Some("checkout"))]
    fn a_threshold_is_a_metric_a_label_a_side_and_a_limit(
        #[case] text: &str,
        #[case] criterion: &str,
        #[case] label: Option<&str>,
    ) {
        let threshold = parse(text).unwrap();
        assert_eq!((threshold.criterion.to_string().as_str(), threshold.label.as_deref()), (criterion, label));
        assert_eq!(threshold.name, text.trim());
    }

    fn gathered(name: &str, content: &str) -> Gathered {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        gather(&[path], &Progress::on_terminal()).unwrap()
    }

    #[test]
    fn a_sample_file_is_judged_as_a_whole_and_by_label() {
        use ThresholdOutcome::{Met, Missed, NotJudged};
        let mut samples =
            String::from("timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes\n");
        for (label, elapsed, success) in
            [("home", 10, true), ("home", 20, true), ("cart", 30, true), ("cart", 40, false)]
        {
            writeln!(samples, "1795578546000,{elapsed},{label},200,OK,t 1-1,{success},10").unwrap();
        }
        let gathered = gathered("kpi.jtl", &samples);
        let outcomes = |texts: &[&str]| {
            let thresholds: Vec<_> = texts.iter().map(|text| parse(text).unwrap()).collect();
            let judged = judge(&gathered, &thresholds).unwrap().unwrap();
            judged.into_iter().map(|threshold| threshold.outcome).collect::<Vec<_>>()
        };
        // 4 requests in 40 ms.
        let texts =
            ["max<41ms", "max<40ms", "errorRate>24.999%", "requestRate<100/s", "errorRate(cart)<50%", "p50(pay)<1s"];
        assert_eq!(outcomes(&texts), [Met, Missed, Met, Missed, Missed, NotJudged]);
        assert_eq!(judge(&gathered, &[]), Ok(None));
    }

    #[test]
    fn a_summary_without_response_times_cannot_be_judged() {
        let summary = include_str!("../../../../examples/report/final-stats.xml");
        let judged = judge(&gathered("final-stats.xml", summary), &[parse("p99<1s").unwrap()]);
        assert!(judged.unwrap_err().contains("report the sample files instead"));
    }

    #[rstest]
    #[case("p99", "p99<300ms")]
    #[case("p99<=300ms", "neither side")]
    #[case("p99()<300ms", "in parentheses")]
    #[case("p99(checkout<300ms", "in parentheses")]
    #[case("median<300ms", "'median' is not known")]
    #[case("p99<300", "300ms")]
    #[case("p99<fast", "'fast' is not understood")]
    #[case("errorRate<0%", "never")]
    fn another_text_is_refused_with_what_to_write(#[case] text: &str, #[case] words: &str) {
        let message = parse(text).unwrap_err();
        assert!(message.contains(words), "{message}");
    }
}
