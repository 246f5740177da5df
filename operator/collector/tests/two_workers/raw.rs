//! The judge: raw sample files and Taurus' own summaries, read without any of the code under test.

use std::collections::BTreeMap;

/// What the rows of a sample file say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    /// Response times in milliseconds, sorted.
    pub(crate) elapsed_ms: Vec<u64>,
    pub(crate) errors: u64,
    pub(crate) bytes: u64,
    /// Requests and errors per label.
    pub(crate) labels: BTreeMap<String, (u64, u64)>,
    /// The latest start of a request, in milliseconds since 1970-01-01 UTC.
    pub(crate) last_start_ms: u64,
}

impl Raw {
    /// Adds a whole file. Its rows hold no quoted commas: the tests' labels have none.
    pub(crate) fn add(&mut self, text: &str, stamped_at_end: bool) {
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
            self.elapsed_ms.push(milliseconds);
            self.errors += failed;
            self.bytes += fields[bytes].parse::<u64>().expect("bytes");
            let counts = self.labels.entry(fields[label].to_owned()).or_default();
            *counts = (counts.0 + 1, counts.1 + failed);
            let stamp: u64 = fields[stamp].parse().expect("timeStamp");
            self.last_start_ms = self.last_start_ms.max(if stamped_at_end { stamp - milliseconds } else { stamp });
        }
        self.elapsed_ms.sort_unstable();
    }

    pub(crate) fn requests(&self) -> u64 {
        self.elapsed_ms.len() as u64
    }

    /// Nearest rank, in microseconds.
    pub(crate) fn percentile_us(&self, thousandths: u64) -> u64 {
        let rank = (self.requests() * thousandths).div_ceil(100_000).max(1);
        self.elapsed_ms[usize::try_from(rank - 1).unwrap()] * 1_000
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
