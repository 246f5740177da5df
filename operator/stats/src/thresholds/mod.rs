//! Thresholds: what must hold for a load test to pass, judged in exact arithmetic.
//!
//! A [`Criterion`] is a [`Metric`], a side and a limit: `p99 below 300ms`. [`Criterion::judge`] holds it against the statistics of any
//! set of requests: of the whole test, a label or a region. A [`Window`] does it second by second over the last ones.
//!
//! # Formulae
//!
//! | metric | value | unit of the limit |
//! |---|---|---|
//! | `average` | Σ response times / requests | time |
//! | `min`, `max` | shortest, longest response time | time |
//! | `pN` | [nearest rank](crate::Percentile::rank) over all response times, as [`Distribution::percentile`](crate::Distribution::percentile) says it | time |
//! | `errorRate` | failed requests / requests | percent |
//! | `requestRate` | requests / length of the interval | per second |
//! | `requests` | requests | none |
//!
//! Requests are successes and failures together; interrupted ones are in no value.
//!
//! # Guarantees
//!
//! * A comparison is strict and exact: the value is a fraction of integers and never rounded before it is compared, so 10 errors of
//!   1,000 requests are not below 1 %. Only a percentile has the error of its histogram, at most 0.05 %, as everywhere.
//! * Nothing is judged on nothing: without requests there is a reason instead of a judgement.
//! * What is shown never contradicts the judgement: [`Judgement::observed`] is rounded away from the limit.

mod amount;
mod criterion;
mod metric;
mod window;

pub use amount::{Amount, InvalidAmount, Unit};
pub use criterion::{Comparison, Criterion, InvalidCriterion, Judgement, Unjudgeable};
pub use metric::{InvalidMetric, Metric};
pub use window::Window;
