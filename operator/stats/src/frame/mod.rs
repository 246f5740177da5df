//! What a worker measured in a few seconds, told while the load runs.
//!
//! A [`FrameRecorder`] collects samples by the second in which they ended. When the worker has seen all samples of some
//! seconds it [closes](FrameRecorder::close) them: the [`Frame`] has what is new. The bytes of a frame are written to the
//! storage, and the aggregator adds up those of all workers.
//!
//! # Guarantees
//!
//! * Frames are additive. What was recorded stands in exactly one frame of a worker: a sample that comes after its second
//!   was closed is in the next frame, for its own second. So the sum of the frames is what was recorded, in any order.
//! * A frame says which seconds its worker has closed with it, samples or not: [`Frame::from`] to [`Frame::through`]. Those
//!   of one worker never overlap, so [`Frame::through`] names the frame among those of its worker.
//! * Response times are those of the final result: the same slots, the same exact sums, minimum and maximum.
//! * Everything is bounded: [`SECONDS`] a frame, [`LABELS`] with a row of their own, [`ERROR_GROUPS`] a second. Labels and
//!   errors beyond that are in one visible row `[other]`; samples that are left out are counted in [`Frame::left_out`].
//! * Equal frames have equal bytes, and [`EncodedFrame::read`] accepts no others.

mod recording;
mod responses;
mod users;
mod wire;

use std::collections::BTreeMap;

pub use recording::FrameRecorder;
pub use responses::Responses;
pub(crate) use responses::{UNTOLD, add_told};
pub use wire::{EncodedFrame, EncodedResponses, EncodedRow, EncodedSecond, FrameError, MAXIMUM_ENCODED_BYTES};

use crate::health::GeneratorLoad;
use crate::samples::SampleKind;
use crate::statistics::{ErrorGroups, LabelKey};

/// Seconds with samples or users in one frame.
pub const SECONDS: usize = 64;
/// Labels of a worker, requests and transactions together, with a row of their own: the first that came. Those that come
/// later are folded into `[other]`, one row of each kind.
pub const LABELS: usize = 200;
/// Error groups of a second; those that come later are folded into one group `[other]`.
pub const ERROR_GROUPS: usize = 20;
/// Bytes of a label, as in the final result; longer ones are cut and end in `…`.
pub const LABEL_BYTES: usize = 1024;
/// Bytes of a code or message; longer ones are cut and end in `…`.
pub const TEXT_BYTES: usize = 256;

/// What one worker measured in one second, or what came too late for the frame that closed it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameSecond {
    /// Active virtual users of the worker. The frame that closes the second says it; later ones have 0 to add.
    pub users: u64,
    /// By label. A transaction repeats its requests and is in no total.
    pub labels: BTreeMap<LabelKey, Responses>,
    /// Failed requests by label, code and message.
    pub errors: ErrorGroups,
}

impl FrameSecond {
    /// All requests together.
    #[must_use]
    pub fn totals(&self) -> Responses {
        let mut totals = Responses::default();
        for (key, responses) in &self.labels {
            if key.kind == SampleKind::Request {
                totals.merge(responses);
            }
        }
        totals
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users == 0 && self.labels.is_empty()
    }
}

/// What is new since the frame before. See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The first second that this frame closes, since 1970-01-01 UTC.
    pub from: i64,
    /// The last one. It names the frame: each has a larger one than the frame before.
    pub through: i64,
    /// The worker has ended: there will be no later frame.
    pub ended: bool,
    /// Samples that were left out since the frame before, because they belong to too many different seconds or to the
    /// future.
    pub left_out: u64,
    /// Samples in it whose second an earlier frame had closed: what comes late for whoever looks on.
    pub late: u64,
    /// How loaded the worker was since the frame before; `None`: nothing new is known.
    pub load: Option<GeneratorLoad>,
    /// Seconds with users or samples; some may be before `from`. None is after `through`.
    pub seconds: BTreeMap<i64, FrameSecond>,
}
