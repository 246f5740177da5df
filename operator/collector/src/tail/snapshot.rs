//! What was measured until a moment.

use std::ops::Range;

use jiff::Timestamp;
use volley_stats::file::{FileError, Index, TAIL_BYTES, Tail, read_labels};
use volley_stats::health::{HealthSummary, OwnErrors};
use volley_stats::statistics::{ErrorGroups, Overview};
use volley_stats::{Collection, LabelStatistics, SampleKind};
use volley_storage::documents::{Counters, SampleFile};

use super::Follower;

/// The figures over all labels that a manifest states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Counts.
    pub counters: Counters,
    /// First and last sample, and what was folded.
    pub overview: Overview,
    /// Failed requests that are the worker's own.
    pub own_errors: OwnErrors,
}

impl Measured {
    /// The figures of a collection. Cheap: no histogram is merged.
    #[must_use]
    pub fn of(collection: &Collection) -> Self {
        let mut measured = Self::new(&collection.overview, &collection.errors);
        collection.requests.values().for_each(|label| measured.add(label));
        measured
    }

    /// The figures of an encoded collection, with one label in memory.
    fn of_file(file: &[u8]) -> Result<Self, FileError> {
        let size = file.len() as u64;
        let part = |range: Range<u64>| {
            let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            bounds.and_then(|(start, end)| file.get(start..end)).unwrap_or_default()
        };
        let tail = Tail::read(size, part(size.saturating_sub(TAIL_BYTES as u64)..size))?;
        let index = tail.read_index(part(tail.index_range()))?;
        let mut measured = Self::new(&tail.overview, &tail.read_errors(part(tail.errors_range()))?);
        if let Some(range) = Index::range(index.entries()) {
            for label in read_labels(index.entries(), part(range)) {
                let (key, label) = label?;
                if key.kind == SampleKind::Request {
                    measured.add(&label);
                }
            }
        }
        Ok(measured)
    }

    fn new(overview: &Overview, errors: &ErrorGroups) -> Self {
        let counters = Counters {
            malformed_rows: overview.malformed_rows,
            folded_labels: overview.folded_label_samples,
            bytes: Some(0),
            ..Counters::default()
        };
        Self { counters, overview: overview.clone(), own_errors: OwnErrors::of(errors) }
    }

    fn add(&mut self, label: &LabelStatistics) {
        for (sum, count) in [
            (&mut self.counters.requests, label.requests()),
            (&mut self.counters.errors, label.errors()),
            (&mut self.counters.interrupted, label.interrupted.count()),
        ] {
            *sum = sum.saturating_add(count);
        }
        let bytes = &mut self.counters.bytes;
        *bytes = bytes.zip(label.bytes()).map(|(sum, bytes)| sum.saturating_add(bytes));
    }
}

/// What a worker has measured so far, as bytes: independent of the tail that goes on.
#[derive(Debug)]
pub struct Snapshot {
    /// Rows that were written before this instant are in it.
    pub at: Timestamp,
    /// `volley_stats`' worker file.
    pub histograms: Vec<u8>,
    /// `volley_stats`' series.
    pub series: Vec<u8>,
    /// The figures over all labels.
    pub measured: Measured,
    /// The sample files.
    pub files: Vec<SampleFile>,
    /// See [`Tailed::health`](super::Tailed::health).
    pub health: Option<HealthSummary>,
    /// See [`Tailed::late_samples`](super::Tailed::late_samples).
    pub late_samples: Option<u64>,
    /// Warnings so far.
    pub warnings: Vec<String>,
}

impl Snapshot {
    /// # Errors
    /// [`FileError`] where our own bytes make no sense to us: a defect.
    pub(super) fn of(follower: &mut Follower, at: Timestamp) -> Result<Self, FileError> {
        let histograms = follower.recorder().encode_collection();
        Ok(Self {
            at,
            measured: Measured::of_file(&histograms)?,
            histograms,
            series: follower.recorder().encode_series(),
            files: follower.files(),
            health: follower.health(),
            late_samples: follower.late_samples(),
            warnings: follower.warnings(),
        })
    }
}

#[cfg(test)]
mod tests {
    use volley_stats::{Limits, Parser, Recorder};

    use super::*;

    #[test]
    fn an_encoded_collection_has_the_figures_of_the_collection() {
        let rows = "timeStamp,elapsed,label,responseCode,responseMessage,success,bytes\n\
            1000,7,home,200,OK,true,512\n2000,9,home,500,no,false,7\n3000,1,cart,200,OK,true,3\n\
            1000,7,all,200,\"Number of samples in transaction : 2\",true,512\n\
            8000,7,cart,java.net.BindException,Cannot assign requested address,false,9\n\
            9000,7,cart,x,SocketException: Socket closed,false,9\nnonsense\n";
        let mut recorder = Recorder::new(Limits::default());
        recorder.stop_at(5_000_000);
        let mut parser = Parser::new(volley_stats::Engine::JMeter);
        parser.push(rows.as_bytes(), &mut |sample| recorder.record(0, &sample)).unwrap();
        recorder.add_malformed(parser.malformed());
        let of_file = Measured::of_file(&recorder.encode_collection()).unwrap();
        let counters = &of_file.counters;
        assert_eq!((counters.requests, counters.errors, counters.bytes, counters.malformed_rows), (5, 3, Some(540), 1));
        assert_eq!(of_file.own_errors.count, 1);
        assert_eq!(of_file, Measured::of(&recorder.into_collection()));
    }
}
