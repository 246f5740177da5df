//! The node of a cluster: its object and its lease, which says that it lives.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::{CALL_LIMIT, MANAGER, SIMULATED_LABEL, bounded};

/// How often the lease is renewed; a kubelet does it every 10 s, and after 40 s without one a node counts as lost.
const RENEWAL: Duration = Duration::from_secs(10);
/// `leaseDurationSeconds`, as a kubelet sets it.
const LEASE_SECONDS: u64 = 40;
/// Where kubelets keep their leases.
const LEASE_NAMESPACE: &str = "kube-node-lease";

/// Makes the node, or takes over the one of that name.
pub(super) async fn register(client: &Client, name: &str, pods: u32) -> Result<(), kube::Error> {
    let nodes: Api<Node> = Api::all(client.clone());
    let parameters = PatchParams::apply(MANAGER).force();
    bounded(nodes.patch(name, &parameters, &Patch::Apply(node(name)))).await?;
    bounded(nodes.patch_status(name, &parameters, &Patch::Apply(status(name, pods, Timestamp::now())))).await?;
    renew(client, name).await
}

/// Renews the lease until this future is dropped.
pub(super) async fn keep(client: Client, name: String) {
    let mut ticks = interval(RENEWAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if let Err(error) = renew(&client, &name).await {
            tracing::warn!(%error, node = name, "the lease was not renewed; the next try is in {} s", RENEWAL.as_secs());
        }
    }
}

/// Removes node and lease.
pub(super) async fn remove(client: &Client, name: &str) -> Result<(), kube::Error> {
    let nodes: Api<Node> = Api::all(client.clone());
    let leases: Api<Lease> = Api::namespaced(client.clone(), LEASE_NAMESPACE);
    bounded(leases.delete(name, &DeleteParams::default())).await?;
    bounded(nodes.delete(name, &DeleteParams::default())).await?;
    Ok(())
}

async fn renew(client: &Client, name: &str) -> Result<(), kube::Error> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), LEASE_NAMESPACE);
    let lease = lease(name, Timestamp::now());
    bounded(leases.patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(lease))).await?;
    Ok(())
}

fn node(name: &str) -> Value {
    // Nothing that is not a worker of ours may land here.
    let taint = json!({"key": SIMULATED_LABEL, "value": "true", "effect": "NoSchedule"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {
            SIMULATED_LABEL: "true", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
        "spec": {"taints": [taint]},
    })
}

fn status(name: &str, pods: u32, now: Timestamp) -> Value {
    let capacity = json!({"cpu": "100000", "memory": "100000Gi", "pods": pods.to_string()});
    let now = format!("{now:.0}");
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "status": {
            "capacity": capacity, "allocatable": capacity,
            "conditions": [{"type": "Ready", "status": "True", "reason": "Simulated",
                "message": "workers of this node are simulated", "lastHeartbeatTime": now, "lastTransitionTime": now}],
            "nodeInfo": {"architecture": "amd64", "bootID": "", "containerRuntimeVersion": "simulated://1", "kernelVersion": "",
                "kubeProxyVersion": "", "kubeletVersion": "v1.36.0", "machineID": "", "operatingSystem": "linux",
                "osImage": "simulated", "systemUUID": ""},
        },
    })
}

fn lease(name: &str, now: Timestamp) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": LEASE_NAMESPACE},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": format!("{now:.6}")},
    })
}

// One call may not take so long that the lease runs out.
const _: () = assert!(CALL_LIMIT.as_secs() + RENEWAL.as_secs() < LEASE_SECONDS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objects_are_what_kubernetes_reads() {
        let now = "2026-11-25T10:00:00.123456Z".parse().unwrap();
        let mut whole = node("n");
        whole["status"] = status("n", 1000, now)["status"].clone();
        let node: Node = serde_json::from_value(whole).unwrap();
        assert_eq!(node.status.unwrap().capacity.unwrap()["pods"].0, "1000");
        let lease: Lease = serde_json::from_value(lease("n", now)).unwrap();
        assert_eq!(lease.spec.unwrap().renew_time.unwrap().0, now);
    }
}
