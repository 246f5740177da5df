//! What a kubelet says about a worker's pod. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};

/// Name of the main container.
pub(crate) const MAIN: &str = "taurus";
/// Name of the sidecar.
pub(crate) const COLLECTOR: &str = "collector";

/// What a simulated node knows of a pod whose containers were started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its address.
    pub(crate) address: String,
    /// When both containers started.
    pub(crate) started: Timestamp,
    /// Whether the probe says that it is ready.
    pub(crate) ready: bool,
    /// The end of both containers.
    pub(crate) ended: Option<Ended>,
}

/// The end of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Exit code of the main container.
    pub(crate) exit_code: i32,
    /// When.
    pub(crate) at: Timestamp,
}

/// The status of a pod that runs or has ended, as a patch.
pub(crate) fn status(seen: &Seen) -> Value {
    let succeeded = seen.ended.as_ref().map(|ended| ended.exit_code == 0);
    let phase = match succeeded {
        None => "Running",
        Some(true) => "Succeeded",
        Some(false) => "Failed",
    };
    let ready = seen.ready && seen.ended.is_none();
    let at = seen.ended.as_ref().map_or(seen.started, |ended| ended.at);
    let condition = |kind: &str, status: bool| json!({"type": kind, "status": if status { "True" } else { "False" }, "lastTransitionTime": time(at)});
    json!({"status": {
        "phase": phase,
        "podIP": seen.address,
        "podIPs": [{"ip": seen.address}],
        "startTime": time(seen.started),
        "conditions": [
            condition("Initialized", true),
            condition("ContainersReady", ready),
            condition("Ready", ready),
        ],
        "containerStatuses": [container(MAIN, seen, true, |ended| ended.exit_code)],
        "initContainerStatuses": [container(COLLECTOR, seen, seen.ready, |_| 0)],
    }})
}

/// The status of a pod whose containers cannot be started yet.
pub(crate) fn waiting(words: &str) -> Value {
    let container = |name: &str, reason: &str| {
        json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": reason, "message": words}}})
    };
    json!({"status": {
        "phase": "Pending",
        "initContainerStatuses": [container(COLLECTOR, "CreateContainerConfigError")],
        "containerStatuses": [container(MAIN, "PodInitializing")],
    }})
}

/// The status of a pod of which a node that was started anew knows nothing.
pub(crate) fn lost(at: Timestamp) -> Value {
    json!({"status": {
        "phase": "Failed",
        "reason": "NodeLost",
        "message": "the process that simulated the node was started anew",
        "containerStatuses": [{"name": MAIN, "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": time(at)}}}],
    }})
}

fn container(name: &str, seen: &Seen, ready: bool, exit_code: impl Fn(&Ended) -> i32) -> Value {
    let state = match &seen.ended {
        None => json!({"running": {"startedAt": time(seen.started)}, "terminated": null}),
        Some(ended) => {
            let code = exit_code(ended);
            let reason = if code == 0 { "Completed" } else { "Error" };
            let terminated = json!({"exitCode": code, "reason": reason, "startedAt": time(seen.started),
                "finishedAt": time(ended.at)});
            json!({"running": null, "terminated": terminated})
        }
    };
    let running = seen.ended.is_none();
    json!({"name": name, "image": "simulated", "imageID": "", "restartCount": 0, "ready": ready && running,
        "started": running, "state": state})
}

/// Kubernetes' times have no fractions.
fn time(at: Timestamp) -> String {
    format!("{at:.0}")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;

    use super::*;

    fn seen(ready: bool, exit_code: Option<i32>) -> Seen {
        let started: Timestamp = "2026-11-25T10:00:00.7Z".parse().unwrap();
        Seen {
            address: "127.64.0.1".into(),
            started,
            ready,
            ended: exit_code.map(|exit_code| Ended { exit_code, at: started }),
        }
    }

    fn read(status: &Value) -> (String, bool, Option<i32>) {
        let mut pod = json!({"metadata": {}});
        pod["status"] = status["status"].clone();
        let status = serde_json::from_value::<Pod>(pod).unwrap().status.unwrap();
        let ready = status.conditions.unwrap().into_iter().find(|condition| condition.type_ == "Ready").unwrap();
        let main = status.container_statuses.unwrap().remove(0);
        let code = main.state.and_then(|state| state.terminated).map(|terminated| terminated.exit_code);
        (status.phase.unwrap(), ready.status == "True", code)
    }

    #[rstest::rstest]
    #[case::started(false, None, ("Running", false, None))]
    #[case::ready(true, None, ("Running", true, None))]
    #[case::done(true, Some(0), ("Succeeded", false, Some(0)))]
    #[case::refused(false, Some(66), ("Failed", false, Some(66)))]
    fn a_pod_is_ready_by_its_probe_and_ends_by_its_main_container(
        #[case] ready: bool,
        #[case] exit_code: Option<i32>,
        #[case] expected: (&str, bool, Option<i32>),
    ) {
        let (phase, ready, code) = read(&status(&seen(ready, exit_code)));
        assert_eq!((phase.as_str(), ready, code), expected);
    }

    #[test]
    fn a_sidecar_that_is_told_to_end_ends_well_whatever_the_main_container_did() {
        let status = status(&seen(false, Some(64)));
        let sidecar = &status["status"]["initContainerStatuses"][0];
        assert_eq!(sidecar["state"]["terminated"]["exitCode"], 0);
        assert_eq!(sidecar["state"]["terminated"]["finishedAt"], "2026-11-25T10:00:00Z");
    }
}
