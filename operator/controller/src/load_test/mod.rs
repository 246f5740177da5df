//! The controller of `LoadTests`: gather → validate → plan → apply → report.

mod apply;
pub mod build;
pub mod error;
mod gather;
pub mod observed;
pub mod plan;
mod report;
mod validate;

use std::sync::Arc;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use volley_api::LoadTest;

pub use error::Error;

use crate::context::Context;
use crate::run::Meta;

/// One step of a LoadTest.
pub(crate) async fn reconcile(load_test: Arc<Meta<LoadTest>>, context: Arc<Context>) -> Result<Action, Error> {
    let (name, namespace) = (load_test.name_any(), load_test.namespace().unwrap_or_default());
    let Some(observed) = gather::gather(&name, &namespace, &context).await? else {
        return Ok(Action::await_change());
    };
    let problem = validate::validate(&observed);
    let plan = plan::plan(&observed, problem.as_ref(), (context.now)());
    apply::apply(&plan.actions, &observed, &context).await?;
    report::report(&observed.load_test, &plan, &context).await?;
    Ok(Action::requeue(plan.requeue))
}
