//! Events: one recorder for all kinds, only on transitions.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::kubernetes;

/// Longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;

/// One thing to tell the user about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// A warning rather than a normal event.
    pub warning: bool,
    /// Reason, one word.
    pub reason: String,
    /// What the operator was doing, one word.
    pub action: &'static str,
    /// For people.
    pub note: String,
}

/// The shared recorder. It counts repetitions instead of posting them.
#[derive(Clone)]
pub(crate) struct Events {
    recorder: Recorder,
}

impl Events {
    /// A recorder that speaks as `instance`, the operator's namespace.
    #[must_use]
    pub(crate) fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: "volley".to_owned(), instance: Some(instance.to_owned()) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Tell. An event that cannot be posted is logged; it never fails a reconcile.
    pub(crate) async fn tell(&self, about: &ObjectReference, notices: Vec<Notice>) {
        for notice in notices {
            let event = Event {
                type_: if notice.warning { EventType::Warning } else { EventType::Normal },
                reason: notice.reason,
                note: Some(bounded(notice.note)),
                action: notice.action.to_owned(),
                secondary: None,
            };
            let title = format!("an event about {}", about.name.as_deref().unwrap_or_default());
            if let Err(error) = kubernetes::call("post", title, self.recorder.publish(&event, about)).await {
                tracing::warn!(%error, "event lost");
            }
        }
    }
}

fn bounded(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        let end = (0..=LONGEST_NOTE - 4).rev().find(|index| note.is_char_boundary(*index)).unwrap_or(0);
        note.truncate(end);
        note.push_str(" …");
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_never_longer_than_the_server_takes() {
        assert!(bounded("ö".repeat(2000)).len() <= LONGEST_NOTE);
        assert_eq!(bounded("short".into()), "short");
    }
}
