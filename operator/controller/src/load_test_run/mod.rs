//! The controller of `LoadTestRuns`: gather → validate → plan → apply → report.
//!
//! Everything that a run is follows from its object, its Jobs and its objects in S3; an operator that is killed at any point goes
//! on from there. What is kept in memory only saves calls.

mod apply;
pub mod build;
mod ending;
pub mod error;
mod gather;
pub mod observed;
pub mod plan;
mod report;
pub mod timing;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use volley_api::LoadTestRun;

pub use ending::{Conclusion, Refusal};
pub use error::Error;
pub use gather::Glimpses;

use crate::context::Context;
use crate::metrics::Kind;
use crate::run::Meta;

/// A run that waits for nothing is looked at again after this, against lost events.
const HEARTBEAT: Duration = Duration::from_mins(10);

/// One step of a run.
pub(crate) async fn reconcile(run: Arc<Meta<LoadTestRun>>, context: Arc<Context>) -> Result<Action, Error> {
    let (name, namespace) = (run.name_any(), run.namespace().unwrap_or_default());
    let Some(mut observed) = Box::pin(gather::gather(&name, &namespace, &context)).await? else {
        context.metrics.gone(Kind::LoadTestRun, &namespace, &name);
        return Ok(Action::await_change());
    };
    let start_delay = SignedDuration::try_from(context.settings.start_delay).unwrap_or(SignedDuration::MAX);
    let policy = plan::Policy { start_delay };
    let mut plan = plan::plan(&observed, &policy, (context.now)());
    match apply::apply(&plan.actions, &observed, &context).await {
        // What a server refuses for good is a fact like any other: the planner decides what it means.
        Err(Error::Refused(refusals)) if observed.refusals.is_empty() => {
            observed.refusals = refusals;
            plan = plan::plan(&observed, &policy, (context.now)());
            apply::apply(&plan.actions, &observed, &context).await?;
        }
        applied => applied?,
    }
    report::report(&observed.run, &plan.status, &context).await?;
    context.metrics.runs.saw(&observed.run, plan.status.phase);
    Ok(Action::requeue(plan.requeue.unwrap_or(HEARTBEAT)))
}
