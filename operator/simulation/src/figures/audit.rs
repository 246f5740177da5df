//! Requests to API servers, from their audit logs: one line of JSON a request, at its receipt.
//!
//! Source of the format: `audit.k8s.io/v1`, `Event`. The policy of `dev/scale.sh` logs only what Volley's accounts ask.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `get`, `watch`, `create`, …
    pub verb: String,
    /// Who asked.
    pub user: User,
    /// What about; absent for paths such as `/version`.
    #[serde(default)]
    pub object_ref: ObjectReference,
    /// When it was received.
    #[serde(rename = "requestReceivedTimestamp")]
    pub received_at: Timestamp,
}

/// Who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct User {
    /// `system:serviceaccount:<namespace>:<name>`.
    #[serde(default)]
    pub username: String,
}

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ObjectReference {
    /// `jobs`, `pods`, …
    #[serde(default)]
    pub resource: String,
    /// `status` and the like.
    #[serde(default)]
    pub subresource: String,
}

impl Request {
    /// `patch loadtestruns/status`.
    fn kind(&self) -> String {
        let ObjectReference { resource, subresource } = &self.object_ref;
        let resource = if resource.is_empty() { "other paths" } else { resource };
        let separator = if subresource.is_empty() { "" } else { "/" };
        format!("{} {resource}{separator}{subresource}", self.verb)
    }

    pub(super) fn is(&self, verb: &str, resource: &str) -> bool {
        self.verb == verb && self.object_ref.resource == resource && self.object_ref.subresource.is_empty()
    }
}

/// The most frequent kinds of requests, with their numbers.
pub(super) fn kinds<'a>(requests: impl Iterator<Item = &'a Request>, most: usize) -> String {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for request in requests {
        *counts.entry(request.kind()).or_default() += 1;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by_key(|(kind, count)| (u64::MAX - count, kind.clone()));
    let rest: u64 = sorted.iter().skip(most).map(|(_, count)| count).sum();
    let mut words: Vec<_> = sorted.into_iter().take(most).map(|(kind, count)| format!("{count} {kind}")).collect();
    if rest > 0 {
        words.push(format!("{rest} others"));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: &str, resource: &str, subresource: &str) -> Request {
        serde_json::from_value(serde_json::json!({
            "kind": "Event", "auditID": "x", "stage": "RequestReceived", "requestURI": "/x", "verb": verb,
            "user": {"username": "system:serviceaccount:volley-region:volley-hub", "groups": []},
            "objectRef": {"resource": resource, "subresource": subresource, "namespace": "volley-workers"},
            "requestReceivedTimestamp": "2026-11-25T10:00:00.123456Z", "stageTimestamp": "2026-11-25T10:00:00.123456Z",
        }))
        .unwrap()
    }

    #[test]
    fn the_most_frequent_kinds_come_first() {
        let requests = [
            request("watch", "jobs", ""),
            request("patch", "jobs", ""),
            request("patch", "jobs", ""),
            request("get", "", ""),
        ];
        assert_eq!(kinds(requests.iter(), 2), "2 patch jobs, 1 get other paths, 1 others");
        assert_eq!(kinds([request("patch", "loadtestruns", "status")].iter(), 9), "1 patch loadtestruns/status");
        assert!(requests[1].is("patch", "jobs") && !requests[1].is("create", "jobs"));
    }

    #[test]
    fn a_path_without_an_object_is_read_too() {
        let text = r#"{"verb":"get","requestReceivedTimestamp":"2026-11-25T10:00:00.000001Z","user":{"username":"u"}}"#;
        let request: Request = serde_json::from_str(text).unwrap();
        assert_eq!(kinds([request].iter(), 1), "1 get other paths");
    }
}
