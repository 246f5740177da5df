//! Every bound in time of a run, in one place, with its reason.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use volley_storage::documents::Definition;

/// How long an explicit run waits for what its definition names (sources, targets), counted from its creation.
pub const MISSING_LIMIT: SignedDuration = SignedDuration::from_secs(60);
/// The collector ends load this long after the definition's own end: Taurus may need a little longer than `holdFor`.
pub const LOAD_MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// The collector ends load after this long without S3.
pub const MAX_UNCONTROLLED: SignedDuration = SignedDuration::from_mins(5);
/// How long the launcher lets Taurus shut down, then terminates it, then kills it (75 s and 15 s).
pub const LAUNCHER_LIMIT: SignedDuration = SignedDuration::from_secs(90);
/// How long the launcher waits for the upload.
pub const UPLOAD_LIMIT: SignedDuration = SignedDuration::from_mins(5);
/// From the end of the last pod's main container: a manifest that is not there by now does not come.
pub const MANIFEST_LIMIT: SignedDuration = SignedDuration::from_secs(120);
/// A stop has had no effect: collectors read it within a second and Taurus leaves within 60 s, or the launcher ends it 75 s later.
pub const STOP_LIMIT: SignedDuration = SignedDuration::from_secs(60 + 75);
/// From the deletion of a run until it is closed with what is there.
pub const DELETION_LIMIT: SignedDuration = SignedDuration::from_secs(120);
/// From the closing until a run ends without a result.
pub const AGGREGATION_LIMIT: SignedDuration = SignedDuration::from_mins(15);
/// The same for a run that is being deleted.
pub const DELETED_AGGREGATION_LIMIT: SignedDuration = SignedDuration::from_secs(60);
/// From the end of a run until it leaves its objects behind in a region that is away; the RegionTarget sweeps them later.
pub const AWAY_LIMIT: SignedDuration = SignedDuration::from_mins(4);
/// The same for a run that is being deleted: with the limits above it is gone within 5 minutes.
pub const DELETED_AWAY_LIMIT: SignedDuration = SignedDuration::from_secs(60);
/// From the last step of the ramp until pods that are not ready are looked at.
pub const PODS_AFTER: SignedDuration = SignedDuration::from_secs(20);
/// Pods of a region are listed at most this often.
pub const PODS_EVERY: SignedDuration = SignedDuration::from_secs(15);
/// From the last step of the ramp until a reason that does not heal by waiting (image, Secret) ends the run.
pub const UNABLE_LIMIT: SignedDuration = SignedDuration::from_secs(120);
/// Least time between two steps of a ramp, see `plan::ramp`.
pub const RAMP_INTERVAL: SignedDuration = SignedDuration::from_secs(2);
/// Slack of the dead-man switches above everything that may take time in order.
const DEAD_MAN_SLACK: SignedDuration = SignedDuration::from_mins(10);

/// A number of milliseconds of a document, bounded to what jiff can add.
#[must_use]
pub fn milliseconds(number: u64) -> SignedDuration {
    // A hundred years; schemas allow far less.
    const LONGEST: u64 = 100 * 366 * 86_400_000;
    SignedDuration::from_millis(i64::try_from(number.min(LONGEST)).unwrap_or(i64::MAX))
}

/// The instant after a duration; at the end of time it stays there.
#[must_use]
pub fn after(instant: Timestamp, duration: SignedDuration) -> Timestamp {
    instant.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

/// The instant in the middle between two.
#[must_use]
pub fn middle(first: Timestamp, last: Timestamp) -> Option<Timestamp> {
    first.checked_add(last.duration_since(first) / 2).ok()
}

/// The instant itself where it is a whole second, else the next one: Kubernetes' times have no fractions, so what the status says
/// is the instant.
#[must_use]
pub fn whole_second(instant: Timestamp) -> Timestamp {
    let seconds = instant.as_second() + i64::from(instant.subsec_nanosecond() > 0);
    Timestamp::from_second(seconds).unwrap_or(instant)
}

/// From now until an instant; nothing where it has passed.
#[must_use]
pub fn until(now: Timestamp, instant: Timestamp) -> Duration {
    Duration::try_from(instant.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// `activeDeadlineSeconds` of a worker Job: longer than all that the operator allows, so it acts only without an operator.
#[must_use]
pub fn job_deadline_seconds(definition: &Definition) -> i64 {
    let all = [
        milliseconds(definition.start.timeout_ms),
        milliseconds(definition.max_load_ms),
        LAUNCHER_LIMIT,
        UPLOAD_LIMIT,
        DEAD_MAN_SLACK,
    ];
    all.into_iter().fold(SignedDuration::ZERO, SignedDuration::saturating_add).as_secs()
}
