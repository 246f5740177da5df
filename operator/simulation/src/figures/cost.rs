//! What the same run would cost on AWS: US East (N. Virginia), on demand, US dollars, as of October 2026.
//!
//! Only what grows with the workers: Fargate and requests to S3. Workers reach S3 by the gateway endpoint, which is free; what they
//! send to their target is the test's own affair.

use super::input::Inputs;

/// Fargate, x86: a vCPU for an hour (AWS Fargate pricing).
const VCPU_HOUR: f64 = 0.040_48;
/// Fargate: a GB of memory for an hour.
const GB_HOUR: f64 = 0.004_445;
/// The size `Small`.
const SMALL_VCPU: f64 = 0.5;
/// The size `Small`, in GB.
const SMALL_GB: f64 = 2.0;
/// Shortest time that Fargate bills, in milliseconds.
const FARGATE_LEAST_MS: i64 = 60_000;
/// A thousand PUT, COPY, POST or LIST requests (Amazon S3 pricing, Standard).
const WRITES_THOUSAND: f64 = 0.005;
/// A thousand GET and other requests.
const READS_THOUSAND: f64 = 0.000_4;

/// Dollars of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    /// Workers of the size `Small`.
    pub(super) fargate: f64,
    /// Requests of the workers to S3.
    pub(super) requests: f64,
}

pub(super) fn of(inputs: &Inputs) -> Cost {
    let (mut hours, mut writes, mut reads) = (0.0, 0.0, 0.0);
    for record in &inputs.records {
        let lived_ms = record.gone_at.as_millisecond() - record.started_at.as_millisecond();
        hours += float(lived_ms.max(FARGATE_LEAST_MS)) / 3_600_000.0;
        writes += float(i64::try_from(record.until_gone.writes).unwrap_or(i64::MAX));
        reads += float(i64::try_from(record.until_gone.reads).unwrap_or(i64::MAX));
    }
    Cost {
        fargate: hours * (SMALL_VCPU * VCPU_HOUR + SMALL_GB * GB_HOUR),
        requests: writes / 1000.0 * WRITES_THOUSAND + reads / 1000.0 * READS_THOUSAND,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred thousand requests, shown with four digits")]
fn float(number: i64) -> f64 {
    number as f64
}
