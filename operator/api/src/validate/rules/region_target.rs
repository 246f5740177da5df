//! Rules of a RegionTarget.

use super::{Rule, Test, exactly_one, is_named};
use crate::names::REGION_TARGET_NAME_MAX;

/// Namespaces of Kubernetes itself; load does not belong there.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "regionTarget.name",
        at: &[""],
        test: Test::Value {
            cel: r#"self.metadata.name.size() <= 15 && self.metadata.name.matches(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")"#,
            holds: |object| is_named(object, REGION_TARGET_NAME_MAX),
        },
        message: "metadata.name: write at most 15 lower-case letters, digits and -, with a letter or digit at both ends, for example eu-west-1",
    },
    Rule {
        name: "regionTarget.region",
        at: &["spec.region"],
        test: Test::Text("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        message: "write the name of an AWS region, for example eu-west-1",
    },
    Rule {
        name: "connection.one",
        at: &["spec.connection"],
        test: Test::Value {
            cel: "[has(self.inCluster), has(self.kubeconfig), has(self.eks)].filter(one, one).size() == 1",
            holds: |connection| exactly_one(connection, &["inCluster", "kubeconfig", "eks"]),
        },
        message: "write exactly one of inCluster: {} (the cluster that the operator runs in), kubeconfig: {secretName: ...} and eks: {clusterName: ...}",
    },
    Rule {
        name: "kubeconfig.secretName",
        at: &["spec.connection.kubeconfig.secretName"],
        test: Test::Text("^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"),
        message: "write the name of a Secret in the operator's namespace: lower-case letters, digits, - and .",
    },
    Rule {
        name: "kubeconfig.key",
        at: &["spec.connection.kubeconfig.key"],
        test: Test::Text("^[-._a-zA-Z0-9]+$"),
        message: "write a key of the Secret: letters, digits, -, _ and .",
    },
    Rule {
        name: "eks.clusterName",
        at: &["spec.connection.eks.clusterName"],
        test: Test::Text("^[0-9A-Za-z][-_0-9A-Za-z]*$"),
        message: "write the name of an EKS cluster: letters, digits, - and _, with a letter or digit first",
    },
    Rule {
        name: "eks.roleArn",
        at: &["spec.connection.eks.roleArn"],
        test: Test::Text("^arn:aws[-a-z]*:iam::[0-9]{12}:role/[-+=,.@_/0-9A-Za-z]+$"),
        message: "write the ARN of an IAM role, for example arn:aws:iam::111122223333:role/volley-operator",
    },
    Rule {
        name: "regionTarget.namespace",
        at: &["spec.namespace"],
        test: Test::Text("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        message: "write the name of a namespace: lower-case letters, digits and -, for example volley-workers",
    },
    Rule {
        name: "regionTarget.systemNamespace",
        at: &["spec.namespace"],
        test: Test::Value {
            cel: r#"!(self in ["kube-system", "kube-public", "kube-node-lease"])"#,
            holds: |namespace| namespace.as_str().is_none_or(|name| !SYSTEM_NAMESPACES.contains(&name)),
        },
        message: "write a namespace for workers alone, for example volley-workers; this one belongs to Kubernetes",
    },
    Rule {
        name: "regionTarget.allowedNamespaces",
        at: &["spec.allowedNamespaces[]"],
        test: Test::Text("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        message: "write names of namespaces: lower-case letters, digits and -; patterns such as * are not known",
    },
];
