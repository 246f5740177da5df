//! What Taurus' own summary says against a worker's figures. Pure.

use volley_stats::Collection;
use volley_stats::final_stats::{self, FinalStats};

/// Warnings for the manifest: each difference, each part that makes no sense, or why the summary cannot be read. Whatever it
/// says, the worker's own figures stand.
pub(super) fn warnings(xml: &[u8], collection: &Collection) -> Vec<String> {
    match final_stats::read(xml) {
        Ok(summary) => {
            let differences = final_stats::cross_check(&summary, collection);
            let differences = differences.iter().map(|difference| format!("cross-check with Taurus: {difference}"));
            oddities(&summary).into_iter().chain(differences).collect()
        }
        Err(error) => vec![format!("Taurus' own summary cannot be read: {error}")],
    }
}

fn oddities(summary: &FinalStats) -> Vec<String> {
    let first = summary.oddities.first();
    let mut warnings: Vec<_> = first.iter().map(|oddity| format!("Taurus' own summary: {oddity}")).collect();
    let more = summary.oddities.count().saturating_sub(first.len() as u64);
    if more > 0 {
        warnings.push(format!("Taurus' own summary: {more} more parts make no sense"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use volley_stats::{Engine, Limits, Parser, Recorder};

    fn one_sample() -> Collection {
        let rows = "timeStamp,elapsed,label,success,bytes\n1795578546449,31,pay,true,10\n";
        let mut recorder = Recorder::new(Limits::default());
        Parser::new(Engine::JMeter).push(rows.as_bytes(), &mut |sample| recorder.record(0, &sample)).unwrap();
        recorder.into_collection()
    }

    fn of(groups: &str) -> Vec<String> {
        warnings(format!("<FinalStatus>{groups}</FinalStatus>").as_bytes(), &one_sample())
    }

    const COUNTS: &str = r#"<throughput value="1"/><succ value="1"/><fail value="0"/>"#;

    #[test]
    fn a_single_group_without_codes_that_agrees_is_no_warning() {
        assert_eq!(of(&format!(r#"<Group label="pay">{COUNTS}<bytes value="10"/></Group>"#)), [""; 0]);
    }

    #[test]
    fn a_summary_that_cannot_be_read_is_one_warning() {
        for (xml, expected) in [
            ("", "is empty"),
            ("<FinalStatus><Group label=\"pay\">", "ends early, after 0 groups"),
            ("<FinalStatus></Group></FinalStatus>", "cannot be read at byte 13"),
            ("<html/>", "is <html> instead of <FinalStatus>"),
        ] {
            let warnings = warnings(xml.as_bytes(), &one_sample());
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].starts_with("Taurus' own summary cannot be read: "), "{}", warnings[0]);
            assert!(warnings[0].contains(expected), "{}", warnings[0]);
        }
    }

    #[test]
    fn what_makes_no_sense_is_named_and_the_rest_is_compared() {
        let warnings = of(&format!(
            r#"<Group label="pay">{COUNTS}<bytes value="11"/><avg_rt value="nan"/><perc param="median" value="0.031"/></Group>{}"#,
            "<Group/>".repeat(30)
        ));
        assert!(
            warnings[0].ends_with("label 'pay': <avg_rt> is left out: 'nan' is no time in seconds"),
            "{}",
            warnings[0]
        );
        assert!(
            warnings[1].ends_with("<perc> is left out: 'median' is no percentile from 0 to 100"),
            "{}",
            warnings[1]
        );
        assert_eq!(
            warnings[20..],
            [
                "Taurus' own summary: 12 more parts make no sense",
                "cross-check with Taurus: label 'pay': bytes: Taurus reports 11, the samples say 10",
            ]
        );
    }
}
