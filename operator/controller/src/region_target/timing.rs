//! How often targets are probed.

use jiff::SignedDuration;

/// A healthy target.
pub(crate) const PROBE_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// A target with a fault: somebody is mending it.
pub(crate) const PROBE_AGAIN: SignedDuration = SignedDuration::from_secs(15);
/// A target that is being deleted waits for its runs.
pub(crate) const DELETION_EVERY: SignedDuration = SignedDuration::from_secs(5);
/// Probes of targets that were deleted are forgotten.
pub(crate) const FORGET_AFTER: SignedDuration = SignedDuration::from_mins(30);
