//! The controller of `RegionTargets`: gather (probe) → validate → plan → apply → report.

mod apply;
mod build;
pub mod error;
mod gather;
pub mod observed;
pub mod plan;
mod report;
mod timing;
mod validate;

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use volley_api::RegionTarget;

pub(crate) use apply::hold;
pub use error::Error;
pub use observed::Probes;
pub(crate) use observed::is_held;

use crate::context::Context;
use crate::metrics::Kind;

/// One step of a RegionTarget.
pub(crate) async fn reconcile(target: Arc<RegionTarget>, context: Arc<Context>) -> Result<Action, Error> {
    let gathered = gather::gather(&target.name_any(), &context).await;
    // Also of a target that is gone, or of which nothing could be learned.
    apply::watch(&context);
    let Some(observed) = gathered? else {
        context.metrics.gone(Kind::RegionTarget, "", &target.name_any());
        return Ok(Action::await_change());
    };
    let fault = validate::validate(&observed);
    let plan = plan::plan(&observed, fault.as_deref(), (context.now)());
    apply::apply(&plan.actions, &observed, &context).await?;
    report::report(&observed.target, &plan.status, &context).await?;
    context.metrics.regions.saw(&observed.target, &plan.status);
    Ok(Action::requeue(plan.requeue))
}
