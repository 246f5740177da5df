//! Why files cannot be reported on.

use std::io;

use volley_stats::file::FileError;
use volley_stats::final_stats::FinalStatsError;
use volley_stats::samples::ParseError;
use volley_stats::series::SeriesError;
use volley_storage::ObjectError;

/// Why files cannot be reported on. Every message names the file, says what is wrong with it and what to do.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// It cannot be opened or read.
    #[error("cannot read {name}: {source}; give a file, a folder, or - for standard input")]
    Unreadable {
        /// The file.
        name: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It has no byte.
    #[error("{name} is empty; its writer measured nothing or was killed before it wrote. Leave it out")]
    Empty {
        /// The file.
        name: String,
    },
    /// A compressed file ends too early.
    #[error(
        "{name} is cut off: its {format} data ends early. Copy it again, or report what is there: \
         {command} -dc {name} | volley report -"
    )]
    CutOff {
        /// The file.
        name: String,
        /// `gzip` or `zstd`.
        format: &'static str,
        /// The command that unpacks it.
        command: &'static str,
    },
    /// A compressed file is damaged.
    #[error("{name} is damaged: its {format} data cannot be unpacked ({source}). Copy it again")]
    Damaged {
        /// The file.
        name: String,
        /// `gzip` or `zstd`.
        format: &'static str,
        /// What the decoder says.
        #[source]
        source: io::Error,
    },
    /// It is none of the kinds that are read.
    #[error(
        "{name} is neither a sample file (of JMeter, Locust, k6, Apiritif or Molotov, with its first row), Taurus' \
         final-stats XML, a worker's histograms nor the result.json of a run; it begins with '{beginning}'"
    )]
    Unknown {
        /// The file.
        name: String,
        /// Its first characters.
        beginning: String,
    },
    /// It is a JMeter result in XML.
    #[error(
        "{name} holds JMeter's samples as XML, which is not read; write CSV: \
         jmeter -Jjmeter.save.saveservice.output_format=csv -l results.jtl"
    )]
    JMeterXml {
        /// The file.
        name: String,
    },
    /// Its samples cannot be read.
    #[error("{name}: {source}")]
    Samples {
        /// The file.
        name: String,
        /// Why.
        #[source]
        source: ParseError,
    },
    /// There is no sample at all.
    #[error("there is no sample in {names}, so there is nothing to report; look at the engine's log")]
    NoSample {
        /// The files.
        names: String,
    },
    /// A histogram file cannot be read.
    #[error("{name}: {source}")]
    Histograms {
        /// The file.
        name: String,
        /// Why.
        #[source]
        source: FileError,
    },
    /// A series cannot be read.
    #[error("{name}: {source}")]
    Series {
        /// The file.
        name: String,
        /// Why.
        #[source]
        source: SeriesError,
    },
    /// A series without the histograms that it belongs to.
    #[error("{name} has only how figures went over time; give the folder that it lies in, with the histograms")]
    SeriesAlone {
        /// The file.
        name: String,
    },
    /// A final-stats XML cannot be read.
    #[error("{name}: {source}")]
    FinalStats {
        /// The file.
        name: String,
        /// Why.
        #[source]
        source: FinalStatsError,
    },
    /// A JSON file is no result of a run, or one of another version. The message begins with the name of the file.
    #[error("{source}; of JSON files only the result.json of a run is read: volley result RUN -o json > result.json")]
    Document {
        /// Why.
        #[source]
        source: Box<ObjectError>,
    },
    /// A file that must be read as a whole is larger than any that Volley writes.
    #[error("{name} is larger than {} MiB, the most that such a file can have; it is another one or damaged", limit >> 20)]
    TooLarge {
        /// The file.
        name: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A folder holds nothing that is read.
    #[error(
        "{name} holds no sample file, no final-stats XML, no histograms and no result.json; give Taurus' artifacts \
         folder or a folder that has what a worker uploaded"
    )]
    Nothing {
        /// The folder.
        name: String,
    },
    /// A folder holds too much.
    #[error(
        "{name} holds more than {limit} files or is nested deeper than {depth}; give the folder of the workers itself"
    )]
    TooMany {
        /// The folder.
        name: String,
        /// The most files.
        limit: usize,
        /// The deepest nesting.
        depth: usize,
    },
    /// Files whose figures cannot be added up.
    #[error(
        "{first} ({first_kind}) and {second} ({second_kind}) cannot be merged: only samples and histograms have what \
         exact percentiles need. Report them apart"
    )]
    Mixed {
        /// One file.
        first: String,
        /// What it is.
        first_kind: &'static str,
        /// The other file.
        second: String,
        /// What it is.
        second_kind: &'static str,
    },
    /// More than one result of a run.
    #[error(
        "{first} and {second} are both results of runs: their percentiles cannot be merged. Report them apart, or give \
         the histograms of both runs"
    )]
    SeveralResults {
        /// One file.
        first: String,
        /// The other file.
        second: String,
    },
    /// The same file twice.
    #[error("{name} is given twice; its requests would count double")]
    Twice {
        /// The file.
        name: String,
    },
}
