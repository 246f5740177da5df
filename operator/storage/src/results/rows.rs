//! What a result becomes in the table: one summary and detail rows, chosen and cut so that no item can grow without bound.
//! Pure: the same document gives the same rows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use volley_api::load_test_run::Verdict;

use crate::documents::{
    ErrorGroup, Figures, LabelFigures, MeasuredInterval, RegionFigures, ResultDocument, RunIdentity, StopReason,
    ThresholdFigures, WorkerCounts,
};

/// Labels that have a row, per scope; all of them are in `result.json`.
pub const LABEL_ROWS: usize = 500;
/// Error groups that have a row.
pub const ERROR_ROWS: usize = 500;
/// Longest text of a row in bytes; the whole text is in `result.json`.
const MAX_TEXT_BYTES: usize = 2048;
/// Response codes kept in a row, the most frequent ones.
const MAX_CODES: usize = 20;
/// Warnings kept in the summary.
const MAX_WARNINGS: usize = 10;
/// Scope of the rows that speak of all regions. The names of `RegionTarget`s are DNS labels, so none can be called that.
const ALL_REGIONS: &str = "*";

/// Summary of a run, at most 16 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Which run.
    pub run: RunIdentity,
    /// Digest of the LoadTest's definition.
    pub definition_digest: String,
    /// The judgement.
    pub verdict: Verdict,
    /// What each threshold says, labels cut at 64 bytes and reasons at 128.
    #[serde(default)]
    pub thresholds: Vec<ThresholdFigures>,
    /// Why the load ended early, when it did.
    pub stopped: Option<StopReason>,
    /// First to last sample.
    pub interval: Option<MeasuredInterval>,
    /// Most virtual users at the same time.
    pub peak_users: Option<u64>,
    /// All regions together.
    pub totals: Figures,
    /// Workers of all regions.
    pub workers: WorkerCounts,
    /// True: every planned worker measured its full time.
    pub complete: bool,
    /// The first ten warnings.
    pub warnings: Vec<String>,
    /// `s3://bucket/runs/v1/<uid>/`, where everything else is.
    pub location: String,
    /// Seconds since 1970 from which on DynamoDB may remove the item.
    pub expires_at: i64,
}

/// Totals of a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionRow {
    /// Name of the RegionTarget.
    pub target: String,
    /// AWS region.
    pub region: String,
    /// Why the run started without this region; `None`: it took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// Its workers.
    pub workers: WorkerCounts,
    /// Its figures.
    pub figures: Figures,
}

/// Figures of a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelRow {
    /// Name of the RegionTarget; `None`: all regions together.
    pub target: Option<String>,
    /// From 0, by errors, then requests, then label.
    pub rank: u32,
    /// The label, cut at 2 KiB.
    pub label: String,
    /// A transaction controller's row.
    pub transaction: bool,
    /// Some of its requests may be in `[other]`.
    pub lower_bound: bool,
    /// Its figures.
    pub figures: Figures,
}

/// An error group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorRow {
    /// From 0, by count.
    pub rank: u32,
    /// The label, cut at 2 KiB.
    pub label: Option<String>,
    /// Response code.
    pub code: String,
    /// The engine's words, cut at 2 KiB.
    pub message: String,
    /// How often.
    pub count: u64,
}

/// All detail rows of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunRows {
    /// By target.
    pub regions: Vec<RegionRow>,
    /// By scope (all regions first), then rank.
    pub labels: Vec<LabelRow>,
    /// By rank.
    pub errors: Vec<ErrorRow>,
}

/// Summary of a result. `location` is the prefix of the run in S3, `expires_at` the end of its retention.
#[must_use]
pub fn summary_of(result: &ResultDocument, location: String, expires_at: Timestamp) -> RunSummary {
    RunSummary {
        run: result.run.clone(),
        definition_digest: result.definition_digest.clone(),
        verdict: result.verdict,
        thresholds: result.thresholds.iter().map(bounded_threshold).collect(),
        stopped: result.stopped,
        interval: result.interval,
        peak_users: result.peak_users,
        totals: bounded(&result.totals),
        workers: result.workers_total,
        complete: result.complete,
        warnings: result.warnings.iter().take(MAX_WARNINGS).map(|text| cut(text, 512)).collect(),
        location,
        expires_at: expires_at.as_second(),
    }
}

/// Detail rows of a result.
#[must_use]
pub fn rows_of(result: &ResultDocument) -> RunRows {
    let mut scopes: BTreeMap<Option<&str>, Vec<&LabelFigures>> = BTreeMap::new();
    for label in &result.labels {
        scopes.entry(label.target.as_deref()).or_default().push(label);
    }
    let mut errors: Vec<&ErrorGroup> = result.errors.iter().collect();
    errors.sort_by(|one, two| two.count.cmp(&one.count).then_with(|| one.cmp(two)));
    RunRows {
        regions: result.regions.iter().map(region_row).collect(),
        labels: scopes.into_values().flat_map(label_rows).collect(),
        errors: (0..).zip(errors.into_iter().take(ERROR_ROWS)).map(|(rank, group)| error_row(rank, group)).collect(),
    }
}

fn region_row(region: &RegionFigures) -> RegionRow {
    RegionRow {
        target: region.target.clone(),
        region: region.region.clone(),
        left_out: region.left_out.as_ref().map(|why| cut(why, MAX_TEXT_BYTES)),
        workers: region.workers,
        figures: bounded(&region.figures),
    }
}

fn label_rows(mut labels: Vec<&LabelFigures>) -> impl Iterator<Item = LabelRow> {
    labels.sort_by(|one, two| {
        let (first, second) = (&one.figures, &two.figures);
        second
            .errors
            .cmp(&first.errors)
            .then(second.requests.cmp(&first.requests))
            .then_with(|| one.label.cmp(&two.label))
            .then(one.transaction.cmp(&two.transaction))
    });
    (0..).zip(labels.into_iter().take(LABEL_ROWS)).map(|(rank, label)| LabelRow {
        target: label.target.clone(),
        rank,
        label: cut(&label.label, MAX_TEXT_BYTES),
        transaction: label.transaction,
        lower_bound: label.lower_bound,
        figures: bounded(&label.figures),
    })
}

fn error_row(rank: u32, group: &ErrorGroup) -> ErrorRow {
    ErrorRow {
        rank,
        label: group.label.as_ref().map(|label| cut(label, MAX_TEXT_BYTES)),
        code: cut(&group.code, MAX_TEXT_BYTES),
        message: cut(&group.message, MAX_TEXT_BYTES),
        count: group.count,
    }
}

/// Twenty of them leave room for the rest of the summary.
fn bounded_threshold(threshold: &ThresholdFigures) -> ThresholdFigures {
    ThresholdFigures {
        label: threshold.label.as_ref().map(|label| cut(label, 64)),
        reason: threshold.reason.as_ref().map(|reason| cut(reason, 128)),
        ..threshold.clone()
    }
}

fn bounded(figures: &Figures) -> Figures {
    let mut codes: Vec<(&String, &u64)> = figures.codes.iter().collect();
    codes.sort_by(|one, two| two.1.cmp(one.1).then_with(|| one.0.cmp(two.0)));
    let codes = codes.into_iter().take(MAX_CODES).map(|(code, count)| (cut(code, 64), *count)).collect();
    Figures { codes, ..figures.clone() }
}

fn cut(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let mut end = max_bytes - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

impl RegionRow {
    /// Its sort key.
    pub(super) fn sort_key(&self) -> String {
        format!("REGION#{}", self.target)
    }
}

impl LabelRow {
    /// Its sort key.
    pub(super) fn sort_key(&self) -> String {
        format!("LABEL#{}#{:05}", self.target.as_deref().unwrap_or(ALL_REGIONS), self.rank)
    }
}

impl ErrorRow {
    /// Its sort key.
    pub(super) fn sort_key(&self) -> String {
        format!("ERROR#{:05}", self.rank)
    }
}

#[cfg(test)]
mod tests {
    use volley_api::load_test_run::ThresholdOutcome;

    use super::*;

    fn label(target: Option<&str>, label: &str, requests: u64, errors: u64) -> LabelFigures {
        LabelFigures {
            target: target.map(str::to_owned),
            label: label.into(),
            transaction: false,
            lower_bound: false,
            figures: Figures { requests, errors, ..Figures::default() },
        }
    }

    fn labels_of(labels: &[LabelFigures]) -> Vec<(Option<String>, u32, String)> {
        let mut scopes: BTreeMap<Option<&str>, Vec<&LabelFigures>> = BTreeMap::new();
        for label in labels {
            scopes.entry(label.target.as_deref()).or_default().push(label);
        }
        scopes.into_values().flat_map(label_rows).map(|row| (row.target, row.rank, row.label)).collect()
    }

    #[test]
    fn labels_rank_by_errors_then_requests_then_name_within_their_scope() {
        let labels = [
            label(Some("eu"), "busy", 900, 0),
            label(None, "quiet", 1, 0),
            label(None, "b", 50, 0),
            label(None, "a", 50, 0),
            label(None, "broken", 2, 2),
        ];
        let expected =
            [(None, 0, "broken"), (None, 1, "a"), (None, 2, "b"), (None, 3, "quiet"), (Some("eu"), 0, "busy")];
        let expected = expected.map(|(target, rank, label)| (target.map(str::to_owned), rank, label.to_owned()));
        assert_eq!(labels_of(&labels), expected);
    }

    #[test]
    fn a_scope_has_at_most_500_label_rows_and_their_keys_sort_by_rank() {
        let labels: Vec<_> = (0..700).map(|number| label(None, &format!("l{number}"), number, 0)).collect();
        let rows: Vec<_> = label_rows(labels.iter().collect()).collect();
        assert_eq!(rows.len(), 500);
        assert_eq!(rows[499].label, "l200");
        assert!(rows.iter().map(LabelRow::sort_key).is_sorted());
        assert_eq!(rows[7].sort_key(), "LABEL#*#00007");
    }

    #[test]
    fn long_text_is_cut_between_characters_and_the_cut_is_visible() {
        assert_eq!(cut("short", 16), "short");
        let long = "é".repeat(3000);
        let short = cut(&long, 2048);
        assert!(short.len() <= 2048 && short.ends_with('…') && short.starts_with("éé"), "{} bytes", short.len());
    }

    #[test]
    fn a_summary_with_twenty_thresholds_and_long_texts_is_at_most_16_kib() {
        let example = include_str!("../../../../docs/reference/result.example.json");
        let mut result: ResultDocument = serde_json::from_str(example).unwrap();
        let threshold = ThresholdFigures {
            name: "n".repeat(40),
            metric: "p99.999".parse().unwrap(),
            label: Some("é".repeat(128)),
            target: Some("t".repeat(15)),
            below: Some(u64::MAX),
            above: None,
            observed: None,
            outcome: ThresholdOutcome::NotJudged,
            reason: Some("r".repeat(1_000)),
        };
        result.thresholds = vec![threshold; 20];
        result.warnings = vec!["w".repeat(1_000); 20];
        result.totals.codes = (0..50_u64).map(|code| (format!("{code:0>64}"), code)).collect();
        let summary = summary_of(&result, "s3://bucket/runs/v1/u/".into(), Timestamp::MAX);
        let bytes = serde_json::to_vec(&summary).unwrap().len();
        assert!(bytes <= 16 * 1024, "{bytes} bytes");
    }

    #[test]
    fn a_row_keeps_the_20_most_frequent_codes() {
        let codes = (0..30_u64).map(|code| (format!("{}", 500 + code), code)).collect();
        let kept = bounded(&Figures { codes, ..Figures::default() }).codes;
        assert_eq!((kept.len(), kept.values().min()), (20, Some(&10)));
    }
}
