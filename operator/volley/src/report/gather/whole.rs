//! Files that are read as a whole. All of them are bounded.

use volley_stats::file;
use volley_stats::final_stats::{self, FinalStats};
use volley_stats::series::{MAXIMUM_ENCODED_BYTES, Series};
use volley_stats::statistics::Collection;
use volley_storage::documents::ResultDocument;
use volley_storage::objects::decode_document;

use super::error::GatherError;
use super::open::Opened;
use crate::report::model::{Source, SourceKind};

/// The most bytes of a histogram file. 4,000 labels with wide distributions take some 100 MB.
pub const MAXIMUM_HISTOGRAM_BYTES: u64 = 1024 * 1024 * 1024;

/// The result of a run.
#[derive(Debug)]
pub struct Run {
    /// The document.
    pub document: Box<ResultDocument>,
    /// The run's merged histograms, where they are there too.
    pub histograms: Option<Box<Collection>>,
}

/// The result of a run from its bytes, and its merged histograms from theirs; each with its name.
pub(super) fn read_run(
    file: String,
    bytes: &[u8],
    histograms: Option<(String, Vec<u8>)>,
) -> Result<(Run, Vec<Source>), GatherError> {
    let document: ResultDocument =
        decode_document(&file, bytes).map_err(|source| GatherError::Document { source: Box::new(source) })?;
    let mut sources = vec![Source { file, kind: SourceKind::Result, engine: None, samples: None }];
    let histograms = match histograms {
        None => None,
        Some((file, bytes)) => {
            let collection = decode_histograms(&file, &bytes)?;
            let samples = Some(collection.overview.samples);
            sources.push(Source { file, kind: SourceKind::Histograms, engine: None, samples });
            Some(Box::new(collection))
        }
    };
    Ok((Run { document: Box::new(document), histograms }, sources))
}

fn decode_histograms(name: &str, bytes: &[u8]) -> Result<Collection, GatherError> {
    file::decode(bytes).map_err(|source| GatherError::Histograms { name: name.to_owned(), source })
}

pub(super) fn read_histograms(opened: Opened<'_>) -> Result<(String, Collection), GatherError> {
    let name = opened.name.clone();
    let bytes = opened.read_all(MAXIMUM_HISTOGRAM_BYTES)?;
    let collection = decode_histograms(&name, &bytes)?;
    Ok((name, collection))
}

pub(super) fn read_series(opened: Opened<'_>) -> Result<Series, GatherError> {
    let name = opened.name.clone();
    let bytes = opened.read_all(MAXIMUM_ENCODED_BYTES as u64)?;
    Series::decode(&bytes).map_err(|source| GatherError::Series { name, source })
}

pub(super) fn read_final_stats(opened: Opened<'_>) -> Result<(String, FinalStats), GatherError> {
    let name = opened.name.clone();
    let bytes = opened.read_all(final_stats::MAXIMUM_BYTES)?;
    match final_stats::read(&bytes) {
        Ok(report) => Ok((name, report)),
        Err(source) => Err(GatherError::FinalStats { name, source }),
    }
}
