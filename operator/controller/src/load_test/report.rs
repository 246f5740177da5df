//! Writes a LoadTest's status where it changed, and tells what changed.

use kube::api::Api;
use kube::{Resource, ResourceExt};
use serde_json::json;
use volley_api::{LoadTest, LoadTestStatus, labels};

use super::error::Error;
use super::plan::{Action, Plan};
use crate::context::Context;
use crate::events::Notice;
use crate::kubernetes;
use volley_api::condition::{self, ConditionType};

/// Writes what a plan says about a LoadTest, if it says something new, and tells what happened.
pub(super) async fn report(load_test: &LoadTest, plan: &Plan, context: &Context) -> Result<(), Error> {
    let before = own(load_test.status.clone().unwrap_or_default());
    let after = own(plan.status.clone());
    if let Some(mut body) = kubernetes::changed(&before, &after) {
        let namespace = load_test.namespace().unwrap_or_default();
        let api: Api<LoadTest> = Api::namespaced(context.client.clone(), &namespace);
        if let Some(fields) = body.as_object_mut() {
            fields.remove("active");
        }
        let precondition = json!({"uid": load_test.metadata.uid});
        kubernetes::apply_status(&api, &load_test.name_any(), labels::MANAGER, precondition, body).await?;
    }
    context.events.tell(&load_test.object_ref(&()), notices(&before, &after, &plan.actions)).await;
    Ok(())
}

/// The part of a status that this field manager writes; the claim is not.
fn own(mut status: LoadTestStatus) -> LoadTestStatus {
    status.active = Vec::new();
    status
}

fn notices(before: &LoadTestStatus, after: &LoadTestStatus, actions: &[Action]) -> Vec<Notice> {
    let mut notices = Vec::new();
    for action in actions {
        if let Action::CreateRun { name, .. } = action {
            let note = format!("Started run {name}");
            notices.push(Notice { warning: false, reason: "Triggered".to_owned(), action: "Triggering", note });
        }
    }
    let ready = |status: &LoadTestStatus| {
        condition::find(&status.conditions, ConditionType::Ready)
            .filter(|condition| condition.status != "True")
            .map(|condition| (condition.reason.clone(), condition.message.clone()))
    };
    if let Some((reason, note)) = ready(after).filter(|problem| ready(before).as_ref() != Some(problem)) {
        notices.push(Notice { warning: true, reason, action: "Validating", note });
    }
    let changed = |status: &LoadTestStatus| condition::is_true(&status.conditions, ConditionType::DefinitionChanged);
    if changed(after)
        && !changed(before)
        && let Some(condition) = condition::find(&after.conditions, ConditionType::DefinitionChanged)
    {
        let (reason, note) = ("DefinitionChanged".to_owned(), condition.message.clone());
        notices.push(Notice { warning: false, reason, action: "Validating", note });
    }
    notices
}
