//! The live view on a terminal. Pure: a run, its course and the size of the terminal in, lines out.
//!
//! What does not fit is left out from the end, and says so: the phase and the totals always stand.

use volley_api::figures::{rate, ratio, time_us};
use volley_stats::health::WHOLE_PPM;
use volley_storage::documents::{FrameFigures, LiveFrame};

use super::course::Course;
use crate::follow::screen::Size;
use crate::follow::snapshot::Snapshot;
use crate::report::table::{NOTHING, render};
use crate::report::text::visible;

/// Columns of the table beside the name: enough for every figure of three digits.
const FIGURES_WIDTH: usize = 56;
/// Characters of a name at least, and at most.
const NAME_WIDTH: (usize, usize) = (12, 40);
/// Columns of the rate over time at most.
const SPARKLINE_WIDTH: usize = 60;
/// Eighths of a block, lowest first (Unicode, "Block Elements").
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const HEADER: [&str; 7] = ["", "RATE", "ERRORS", "AVERAGE", "P50", "P95", "P99"];

/// The lines to show.
#[must_use]
pub fn lines(snapshot: &Snapshot, course: &Course, size: Size) -> Vec<String> {
    let mut lines = vec![snapshot.line()];
    let Some(frame) = &course.last else { return lines };
    lines.extend(sparkline(course, size.columns));
    lines.push(String::new());

    // What stands below the tables is short and more important than the last label.
    let mut below = errors(frame);
    below.extend(behind(frame));
    below.extend(saturated(frame));
    below.extend(course.publishing_error.as_ref().map(|error| format!("not published: {}", visible(error))));
    let name_width = size.columns.saturating_sub(FIGURES_WIDTH).clamp(NAME_WIDTH.0, NAME_WIDTH.1);
    let mut rows = vec![row("all", &frame.totals.figures, frame.interval)];
    if frame.regions.len() > 1 {
        rows.extend(frame.regions.iter().map(|(target, scope)| row(target, &scope.figures, frame.interval)));
    }
    let regions = rows.len();
    rows.extend(
        frame.labels.iter().map(|label| row(&shortened(&label.label, name_width), &label.figures, frame.interval)),
    );

    // The header, and one line that stays free for the prompt.
    let room = size.rows.saturating_sub(lines.len() + below.len() + 2).max(1);
    let labels_total = usize::try_from(frame.labels_total).unwrap_or(usize::MAX);
    let mut shown = frame.labels.len();
    if rows.len() > room || labels_total > shown {
        // A line says how many labels are left out.
        rows.truncate(room.saturating_sub(1).max(1));
        shown = rows.len().saturating_sub(regions);
    }
    lines.extend(render(HEADER, rows).lines().map(str::to_owned));
    match labels_total.saturating_sub(shown) {
        0 => {}
        1 => lines.push("and 1 more label".to_owned()),
        more => lines.push(format!("and {more} more labels")),
    }
    lines.append(&mut below);
    lines
}

/// The rate over time, and the highest of what is shown.
fn sparkline(course: &Course, columns: usize) -> Option<String> {
    let rates = course.rates(columns.saturating_sub(24).clamp(10, SPARKLINE_WIDTH));
    let peak = rates.iter().copied().fold(0.0, f64::max);
    if rates.len() < 2 || peak <= 0.0 {
        return None;
    }
    let line: String = rates.iter().map(|rate| block(rate / peak)).collect();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive; casts saturate")]
    let peak = rate((peak * 1_000.0).round() as u64, 1_000_000_000);
    Some(format!("{line}  highest {peak}"))
}

/// The block for a part of the highest value, 0 to 1.
fn block(part: f64) -> char {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floating point saturate")]
    let eighth = (part * 8.0).ceil() as usize;
    BLOCKS.get(eighth.saturating_sub(1)).copied().unwrap_or('█')
}

fn row(name: &str, figures: &FrameFigures, interval: u32) -> [String; 7] {
    let time = |time: Option<u64>| time.map_or_else(|| NOTHING.to_owned(), time_us);
    [
        name.to_owned(),
        rate(figures.requests, u64::from(interval) * 1_000_000),
        ratio(figures.errors, figures.requests),
        time(figures.average_us),
        time(figures.p50_us),
        time(figures.p95_us),
        time(figures.p99_us),
    ]
}

fn errors(frame: &LiveFrame) -> Vec<String> {
    let mut lines = Vec::new();
    for error in &frame.errors {
        if lines.is_empty() {
            lines.push(String::new());
        }
        let parts = [&error.label, &error.code, &error.message].map(|part| visible(part));
        let parts: Vec<_> = parts.iter().map(AsRef::as_ref).filter(|part| !part.is_empty()).collect();
        lines.push(format!("{} × {}", error.count, parts.join(" ")));
    }
    lines
}

/// Workers whose figures are missing.
fn behind(frame: &LiveFrame) -> Option<String> {
    let workers = &frame.workers;
    if workers.reported >= workers.expected {
        return None;
    }
    let named: Vec<String> = workers
        .behind
        .iter()
        .map(|worker| match worker.second {
            Some(second) => {
                let seconds = frame.second.saturating_sub(second);
                format!("{}/{} {seconds} s behind", worker.target, worker.index)
            }
            None => format!("{}/{} not heard of", worker.target, worker.index),
        })
        .collect();
    let named = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
    Some(format!("{} of {} workers in these figures{named}", workers.reported, workers.expected))
}

/// Workers that have not what they need.
fn saturated(frame: &LiveFrame) -> Option<String> {
    let generators = &frame.generators;
    if generators.saturated == 0 {
        return None;
    }
    let named: Vec<String> = generators
        .named
        .iter()
        .map(|worker| {
            let share = |what: &str, share: Option<u64>| Some(format!("{what} {}", ratio(share?, WHOLE_PPM)));
            let throttled = worker.throttled_ppm.filter(|share| *share > 0);
            let shares =
                [share("CPU", worker.cpu_ppm), share("throttled", throttled), share("memory", worker.memory_ppm)];
            let shares: Vec<_> = shares.into_iter().flatten().collect();
            format!("{}/{} {}", worker.target, worker.index, shares.join(" "))
        })
        .collect();
    Some(format!(
        "{} of {} workers are SATURATED, so times may be theirs and not the target's: {}",
        generators.saturated,
        generators.measured,
        named.join(", ")
    ))
}

/// The beginning of a name, made fit to be shown.
fn shortened(name: &str, width: usize) -> String {
    let shown = visible(name);
    match shown.char_indices().nth(width) {
        None => shown.into_owned(),
        Some(_) => shown.chars().take(width - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::live::events::ServerEvent;
    use crate::follow::sample::{live_frame, run};
    use jiff::Timestamp;
    use serde_json::json;
    use volley_storage::documents::{LiveFrame, SaturatedWorker};

    const START: i64 = 1_800_000_000;

    fn snapshot() -> Snapshot {
        let status = json!({"phase": "Running", "startAt": Timestamp::from_second(START).unwrap().to_string(),
            "regions": [{"target": "eu", "planned": 2, "created": 2, "prepared": 2},
                        {"target": "us", "planned": 2, "created": 2, "prepared": 2}],
            "plan": {"workers": 4, "duration": "30s", "workerImage": "w", "volleyImage": "v"}});
        Snapshot::of(&run(status), Timestamp::from_second(START + 12).unwrap())
    }

    fn course(change: impl Fn(&mut LiveFrame)) -> Course {
        let mut course = Course::default();
        for (seq, requests) in (START..).zip([50, 120, 260, 398, 391, 395, 398]) {
            let mut frame = live_frame(seq);
            frame.totals.figures.requests = requests;
            change(&mut frame);
            let data = serde_json::to_string(&frame).unwrap();
            course.take(&ServerEvent { kind: "frame".into(), id: None, data }).unwrap();
        }
        course
    }

    fn shown(course: &Course, columns: usize, rows: usize) -> String {
        let lines = lines(&snapshot().seeing(course.last.as_ref()), course, Size { columns, rows });
        assert!(lines.len() < rows.max(6), "{} lines for {rows} rows", lines.len());
        lines.join("\n")
    }

    #[test]
    fn a_wide_terminal_shows_everything() {
        insta::assert_snapshot!(shown(&course(|_| {}), 120, 40));
    }

    #[test]
    fn a_narrow_terminal_shows_the_beginning_of_long_labels() {
        let course = course(|frame| {
            frame.labels[0].label = "GET https://shop.example.com/category/{id}?page=2".into();
            frame.labels[1].label = "a\u{1b}[31mred".into();
        });
        insta::assert_snapshot!(shown(&course, 72, 24));
    }

    #[test]
    fn a_low_terminal_says_how_many_labels_are_left_out() {
        let course = course(|frame| {
            let label = frame.labels[0].clone();
            frame.labels = (0..20)
                .map(|number| {
                    let mut label = label.clone();
                    label.label = format!("label {number:02}");
                    label
                })
                .collect();
            frame.labels_total = 45;
            frame.errors.clear();
            frame.workers.reported = 4;
        });
        insta::assert_snapshot!(shown(&course, 100, 14));
    }

    #[test]
    fn saturated_workers_are_named_below_the_tables() {
        let worker = |index, cpu_ppm| SaturatedWorker {
            target: "eu".into(),
            index,
            cpu_ppm,
            throttled_ppm: Some(0),
            memory_ppm: Some(800_000),
        };
        let course = course(|frame| {
            frame.generators.saturated = 2;
            frame.generators.named = vec![worker(1, Some(981_000)), worker(0, None)];
        });
        let expected = "2 of 4 workers are SATURATED, so times may be theirs and not the target's: eu/1 CPU 98.1% memory 80%, eu/0 memory 80%";
        assert_eq!(shown(&course, 120, 40).lines().last(), Some(expected));
    }

    #[test]
    fn before_the_first_frame_there_is_one_line() {
        assert_eq!(
            lines(&snapshot(), &Course::default(), Size { columns: 80, rows: 24 }),
            ["Running       4 of 4 workers ready (eu 2/2, us 2/2)  18 s of load left"]
        );
    }

    #[test]
    fn a_block_is_never_lower_than_its_value() {
        let blocks: String = [0.0, 0.01, 0.125, 0.126, 0.5, 0.99, 1.0].into_iter().map(block).collect();
        assert_eq!(blocks, "▁▁▁▂▄██");
    }
}
