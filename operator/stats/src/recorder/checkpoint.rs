//! Storing and restoring a recorder.
//!
//! ```text
//! checkpoint = magic limits stop peaks users series collection
//! magic      = "VOLLEYC2"
//! limits     = labels errorGroups codesPerLabel labelBytes messageBytes rowPoints labelPoints labelSlots
//! stop       = 0x00 | 0x01 microseconds:signed
//! peaks      = number users*                               of each execution
//! users      = number execution*
//! execution  = (0x00 | 0x01 second:signed users) number (second:signed users)*
//! series     = length bytes                                see the module `series`, without the users that are open
//! collection = bytes                                       see the module `file`; up to the end
//! ```
//!
//! What has no type is an unsigned LEB128 number, signed a `ZigZag` one. The state of a recorder is a function of these
//! parts alone: the order in which labels and error groups arrived changes nothing that is recorded later.

use std::collections::HashMap;
use std::convert::Infallible;

use super::failures::Failures;
use super::labels::Labels;
use super::{Limits, MAXIMUM_EXECUTIONS, Recorder};
use crate::file::{self, FileError};
use crate::leb128::{self, Source};
use crate::samples::SampleKind;
use crate::series::{Bounds, OpenUsers, Recording, Series, SeriesError};
use crate::statistics::{Collection, LabelKey};

const MAGIC: [u8; 8] = *b"VOLLEYC2";

/// Why bytes are no checkpoint of a recorder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The bytes do not begin as ours.
    #[error("checkpoint does not begin with \"VOLLEYC2\"; it is another file or of another version")]
    Magic,
    /// The bytes end too early, or a number cannot be.
    #[error("checkpoint: {part} cannot be read; the file is truncated or damaged")]
    Damaged {
        /// The part.
        part: &'static str,
    },
    /// The statistics cannot be read.
    #[error("checkpoint: {0}")]
    Collection(#[from] FileError),
    /// The series cannot be read.
    #[error("checkpoint: {0}")]
    Series(#[from] SeriesError),
    /// The series has a label that the statistics do not have.
    #[error("checkpoint: its series has the label '{name}', its statistics have not; the file is damaged")]
    Label {
        /// Name of the label.
        name: String,
    },
}

impl Recorder {
    /// The whole state as bytes, to be restored by a later process of the same version.
    ///
    /// A recorder that is restored and goes on gives the bytes of one that was never stopped.
    #[must_use]
    pub fn checkpoint(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Ok(()) = self.write_checkpoint(|piece| -> Result<(), Infallible> {
            bytes.extend_from_slice(piece);
            Ok(())
        });
        bytes
    }

    /// Hands the bytes of a [`checkpoint`](Self::checkpoint) to `sink`, piece by piece: they are never in memory as a whole.
    ///
    /// # Errors
    /// That of the sink.
    pub fn write_checkpoint<E>(&mut self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.settle();
        let mut bytes = Vec::from(MAGIC);
        for limit in limits_as_numbers(&self.limits) {
            leb128::put(limit as u64, &mut bytes);
        }
        bytes.push(u8::from(self.stop_us.is_some()));
        if let Some(stop_us) = self.stop_us {
            leb128::put_signed(stop_us, &mut bytes);
        }
        leb128::put(self.peak_users.len() as u64, &mut bytes);
        self.peak_users.iter().for_each(|users| leb128::put(u64::from(*users), &mut bytes));
        self.series.open_users().encode_into(&mut bytes);
        let series = self.series.encode(&self.keys(), false);
        leb128::put(series.len() as u64, &mut bytes);
        sink(&bytes)?;
        sink(&series)?;
        drop(series);
        self.write_settled_collection(sink)
    }

    /// The recorder that a [`checkpoint`](Self::checkpoint) describes.
    ///
    /// # Errors
    /// [`CheckpointError`] for anything else. Memory is bounded by that of the parts.
    pub fn restore(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let mut source = Source::new(bytes.strip_prefix(&MAGIC).ok_or(CheckpointError::Magic)?);
        let damaged = |part| move || CheckpointError::Damaged { part };
        let limits = read_limits(&mut source).ok_or_else(damaged("its limits"))?;
        let stop_us = read_stop(&mut source).ok_or_else(damaged("its stop"))?;
        let peak_users = read_peaks(&mut source).ok_or_else(damaged("its peaks of users"))?;
        let open_users = OpenUsers::read(&mut source).ok_or_else(damaged("its users"))?;
        let series = Series::decode(source.counted().ok_or_else(damaged("its series"))?)?;
        let collection = file::decode(source.rest())?;
        let Collection { overview, requests, transactions, errors } = collection;
        let kinds = [(SampleKind::Request, requests), (SampleKind::Transaction, transactions)];
        let labels = kinds
            .into_iter()
            .flat_map(|(kind, labels)| labels.into_iter().map(move |(name, statistics)| (kind, name, statistics)));
        let labels = Labels::restore(labels, overview.has_folded_labels());
        let rows: HashMap<&LabelKey, usize> =
            labels.rows().iter().enumerate().map(|(number, row)| (&row.key, number)).collect();
        let series = Recording::resume(limits.series, series, open_users, |key| rows.get(key).copied())
            .map_err(|key| CheckpointError::Label { name: key.name.into() })?;
        Ok(Self { limits, stop_us, peak_users, overview, failures: Failures::restore(&errors), series, labels })
    }
}

fn limits_as_numbers(limits: &Limits) -> [usize; 8] {
    let Limits { labels, error_groups, codes_per_label, label_bytes, message_bytes, series } = *limits;
    let Bounds { row_points, label_points, label_slots } = series;
    [labels, error_groups, codes_per_label, label_bytes, message_bytes, row_points, label_points, label_slots]
}

fn read_limits(source: &mut Source<'_>) -> Option<Limits> {
    let mut next = || usize::try_from(source.number()?).ok();
    let limits = Limits {
        labels: next()?,
        error_groups: next()?,
        codes_per_label: next()?,
        label_bytes: next()?,
        message_bytes: next()?,
        series: Bounds { row_points: next()?, label_points: next()?, label_slots: next()? },
    };
    limits.series.are_sound().then_some(limits)
}

#[allow(clippy::option_option, reason = "the outer one is what cannot be read, the inner one that there was no stop")]
fn read_stop(source: &mut Source<'_>) -> Option<Option<i64>> {
    match source.byte()? {
        0 => Some(None),
        1 => source.signed().map(Some),
        _ => None,
    }
}

fn read_peaks(source: &mut Source<'_>) -> Option<Vec<u32>> {
    let number = usize::try_from(source.number()?).ok().filter(|number| *number <= MAXIMUM_EXECUTIONS)?;
    (0..number).map(|_| u32::try_from(source.number()?).ok()).collect()
}
