//! Writes a RegionTarget's status where it changed, and tells when it became ready or ceased to be.

use kube::api::Api;
use kube::{Resource, ResourceExt};
use serde_json::json;
use volley_api::{RegionTarget, RegionTargetStatus, labels};

use super::error::Error;
use crate::context::Context;
use crate::events::Notice;
use crate::kubernetes;
use volley_api::condition::{self, ConditionType};

/// Writes what a plan says about a target, if it says something new.
pub(super) async fn report(target: &RegionTarget, after: &RegionTargetStatus, context: &Context) -> Result<(), Error> {
    let before = target.status.clone().unwrap_or_default();
    let Some(body) = kubernetes::changed(&before, after) else { return Ok(()) };
    let api: Api<RegionTarget> = Api::all(context.client.clone());
    let precondition = json!({"uid": target.metadata.uid});
    kubernetes::apply_status(&api, &target.name_any(), labels::MANAGER, precondition, body).await?;
    context.events.tell(&target.object_ref(&()), notices(&before, after)).await;
    Ok(())
}

fn notices(before: &RegionTargetStatus, after: &RegionTargetStatus) -> Vec<Notice> {
    let ready = |status: &RegionTargetStatus| condition::is_true(&status.conditions, ConditionType::Ready);
    let reason = |status: &RegionTargetStatus| {
        condition::find(&status.conditions, ConditionType::Ready).map(|found| found.reason.clone())
    };
    let Some(condition) = condition::find(&after.conditions, ConditionType::Ready) else { return Vec::new() };
    if ready(before) == ready(after) && reason(before) == reason(after) {
        return Vec::new();
    }
    vec![Notice {
        warning: !ready(after),
        reason: condition.reason.clone(),
        action: "Probing",
        note: condition.message.clone(),
    }]
}
