//! The judge: raw sample files and Taurus' own summaries, read without any of the code under test.

use std::collections::BTreeMap;
use std::time::Duration;

/// Whose sample file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    JMeter,
    Locust,
    K6,
    Molotov,
    Taurus,
}

impl Rows {
    /// The uploaded file.
    pub(crate) fn object(self) -> &'static str {
        match self {
            Self::JMeter | Self::Locust => "samples/kpi.jtl.zst",
            Self::K6 => "samples/kpi.csv.zst",
            Self::Molotov => "samples/molotov-report.ldjson.zst",
            Self::Taurus => "samples/taurus-samples.csv.zst",
        }
    }

    /// Whether each of them says how many bytes were received.
    pub(crate) fn tell_bytes(self) -> bool {
        !matches!(self, Self::K6 | Self::Molotov)
    }
}

/// What the rows of a sample file say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    /// Response times in microseconds, sorted.
    pub(crate) elapsed_us: Vec<u64>,
    pub(crate) errors: u64,
    pub(crate) bytes: u64,
    /// Requests and errors per label.
    pub(crate) labels: BTreeMap<String, (u64, u64)>,
    /// The latest start of a request, in milliseconds since 1970-01-01 UTC.
    pub(crate) last_start_ms: u64,
}

impl Raw {
    /// Adds a whole file. Its rows hold no quoted commas: the tests' labels have none.
    pub(crate) fn add(&mut self, text: &str, rows: Rows) {
        match rows {
            Rows::JMeter => self.add_table(text, false),
            Rows::Locust | Rows::Taurus => self.add_table(text, true),
            Rows::Molotov => self.add_scenarios(text),
            Rows::K6 => self.add_metrics(text),
        }
        self.elapsed_us.sort_unstable();
    }

    /// k6's rows: `http_reqs` says that there was a request, the next `http_req_duration` how long it took.
    fn add_metrics(&mut self, text: &str) {
        let mut lines = text.lines();
        let columns: Vec<_> = lines.next().expect("a header").split(',').collect();
        let column = |name: &str| columns.iter().position(|column| *column == name).expect("a column");
        let (value, stamp) = (column("metric_value"), column("timestamp"));
        let (label, expected) = (column("name"), column("expected_response"));
        for line in lines {
            let fields: Vec<_> = line.split(',').collect();
            assert_eq!(fields.len(), columns.len(), "{line}");
            if fields[0] == "http_reqs" {
                let failed = u64::from(fields[expected] != "true");
                self.errors += failed;
                let counts = self.labels.entry(fields[label].to_owned()).or_default();
                *counts = (counts.0 + 1, counts.1 + failed);
            } else if fields[0] == "http_req_duration" {
                let elapsed = Duration::from_secs_f64(fields[value].parse::<f64>().expect("a number") / 1_000.0);
                self.elapsed_us.push(u64::try_from((elapsed.as_nanos() + 500) / 1_000).unwrap());
                let ended: u64 = fields[stamp].parse().expect("timestamp");
                let elapsed = u64::try_from(elapsed.as_millis()).unwrap();
                self.last_start_ms = self.last_start_ms.max(ended - elapsed);
            }
        }
    }

    /// Molotov's rows: what ended is a scenario, which may have made several requests.
    fn add_scenarios(&mut self, text: &str) {
        for line in text.lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let kind = row["type"].as_str().expect("a type");
            if let Some(outcome) = kind.strip_prefix("scenario_") {
                let (elapsed, started) = (row["duration"].as_f64().unwrap(), row["ts"].as_f64().unwrap());
                let microseconds = Duration::from_secs_f64(elapsed).as_nanos().div_ceil(1_000);
                self.elapsed_us.push(u64::try_from(microseconds).unwrap());
                let failed = u64::from(outcome == "failure");
                self.errors += failed;
                let counts = self.labels.entry(row["name"].as_str().unwrap().to_owned()).or_default();
                *counts = (counts.0 + 1, counts.1 + failed);
                self.last_start_ms =
                    self.last_start_ms.max(Duration::from_secs_f64(started).as_millis().try_into().unwrap());
            }
        }
    }

    fn add_table(&mut self, text: &str, stamped_at_end: bool) {
        let mut lines = text.lines();
        let columns: Vec<_> = lines.next().expect("a header").split(',').collect();
        let column = |name: &str| columns.iter().position(|column| *column == name).expect("a column");
        let (elapsed, success, bytes) = (column("elapsed"), column("success"), column("bytes"));
        let (label, stamp) = (column("label"), column("timeStamp"));
        for line in lines {
            let fields: Vec<_> = line.split(',').collect();
            assert_eq!(fields.len(), columns.len(), "{line}");
            let milliseconds: u64 = fields[elapsed].parse().expect("elapsed");
            let failed = u64::from(fields[success] != "true");
            self.elapsed_us.push(milliseconds * 1_000);
            self.errors += failed;
            self.bytes += fields[bytes].parse::<u64>().expect("bytes");
            let counts = self.labels.entry(fields[label].to_owned()).or_default();
            *counts = (counts.0 + 1, counts.1 + failed);
            let stamp: u64 = fields[stamp].parse().expect("timeStamp");
            self.last_start_ms = self.last_start_ms.max(if stamped_at_end { stamp - milliseconds } else { stamp });
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.elapsed_us.len() as u64
    }

    /// Nearest rank, in microseconds.
    pub(crate) fn percentile_us(&self, thousandths: u64) -> u64 {
        let rank = (self.requests() * thousandths).div_ceil(100_000).max(1);
        self.elapsed_us[usize::try_from(rank - 1).unwrap()]
    }
}

/// Samples, failures and bytes of the group of all labels in a `final-stats.xml`.
pub(crate) fn summary(xml: &str) -> (u64, u64, u64) {
    let start = xml.find(r#"<Group label="">"#).expect("the group of all labels");
    let group = &xml[start..];
    let group = &group[..group.find("</Group>").unwrap()];
    let value = |element: &str| {
        let rest = &group[group.find(&format!("<{element} value=\"")).expect("an element") + element.len() + 9..];
        rest[..rest.find('"').unwrap()].parse::<u64>().expect("a number")
    };
    (value("throughput"), value("fail"), value("bytes"))
}
