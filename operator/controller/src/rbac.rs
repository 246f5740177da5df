//! The rights that the parts need, as data: the chart's roles, the access reviews of a RegionTarget and their test agree on it.
//!
//! A rule that is missing here is missing in the chart; the integration tests run the operator with exactly these rights.

/// One rule: verbs on resources of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// API group; empty: core.
    pub group: &'static str,
    /// Resources, with their subresource.
    pub resources: &'static [&'static str],
    /// Verbs.
    pub verbs: &'static [&'static str],
}

const fn rule(group: &'static str, resources: &'static [&'static str], verbs: &'static [&'static str]) -> Rule {
    Rule { group, resources, verbs }
}

/// The operator, everywhere.
pub const OPERATOR_CLUSTER: &[Rule] = &[
    // Finalizer, label and owner of runs; annotations of LoadTests; history and triggered runs.
    rule("volley.dev", &["loadtests"], &["get", "list", "watch", "patch"]),
    rule("volley.dev", &["loadtestruns"], &["get", "list", "watch", "create", "patch", "delete"]),
    // Finalizer and notes of what runs have left behind.
    rule("volley.dev", &["regiontargets"], &["get", "list", "watch", "patch"]),
    rule("volley.dev", &["loadtests/status", "loadtestruns/status", "regiontargets/status"], &["patch"]),
    // Where OwnerReferencesPermissionEnforcement is on, an owner may be set by who may change its finalizers.
    rule("volley.dev", &["loadtests/finalizers"], &["update"]),
    // Scripts, by name only.
    rule("", &["configmaps"], &["get"]),
    // Whether a worker namespace exists.
    rule("", &["namespaces"], &["get"]),
    rule("events.k8s.io", &["events"], &["create", "patch"]),
    rule("authorization.k8s.io", &["selfsubjectaccessreviews"], &["create"]),
];

/// The operator, in its own namespace.
pub const OPERATOR_NAMESPACE: &[Rule] = &[
    rule("batch", &["jobs"], &["get", "list", "watch", "create", "delete"]),
    // Kubeconfigs of RegionTargets, by their label.
    rule("", &["secrets"], &["list", "watch"]),
];

/// The operator, in each worker namespace. A RegionTarget is `Authorized` when it has all of them.
pub const WORKER_NAMESPACE: &[Rule] = &[
    rule("batch", &["jobs"], &["get", "list", "watch", "create", "patch", "delete"]),
    // Why workers wait, and whether their main container has ended.
    rule("", &["pods"], &["list"]),
    // The run's key for the embedded storage, by server-side apply. None is ever read.
    rule("", &["secrets"], &["create", "patch"]),
];

/// The aggregators, everywhere: the result of a run, and nothing else.
pub const AGGREGATOR_CLUSTER: &[Rule] = &[rule("volley.dev", &["loadtestruns/status"], &["patch"])];

/// One right, as an access review asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// API group; empty: core.
    pub group: &'static str,
    /// Resource.
    pub resource: &'static str,
    /// Subresource; empty: none.
    pub subresource: &'static str,
    /// Verb.
    pub verb: &'static str,
}

impl std::fmt::Display for Right {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.verb, self.resource)?;
        if !self.subresource.is_empty() {
            write!(formatter, "/{}", self.subresource)?;
        }
        if !self.group.is_empty() {
            write!(formatter, ".{}", self.group)?;
        }
        Ok(())
    }
}

/// The single rights of rules.
pub fn rights(rules: &'static [Rule]) -> impl Iterator<Item = Right> {
    rules.iter().flat_map(|rule| {
        rule.resources.iter().flat_map(move |resource| {
            let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
            rule.verbs.iter().map(move |verb| Right { group: rule.group, resource, subresource, verb })
        })
    })
}

#[cfg(test)]
#[allow(clippy::format_push_string, reason = "a test that is run once a build")]
mod tests {
    use super::*;

    #[test]
    fn rights_are_the_product_of_resources_and_verbs() {
        let shown: Vec<_> = rights(WORKER_NAMESPACE).map(|right| right.to_string()).collect();
        assert_eq!(shown.len(), 6 + 1 + 2);
        assert!(shown.contains(&"patch jobs.batch".to_owned()) && shown.contains(&"list pods".to_owned()));
        let aggregator: Vec<_> = rights(AGGREGATOR_CLUSTER).map(|right| right.to_string()).collect();
        assert_eq!(aggregator, ["patch loadtestruns/status.volley.dev"]);
    }

    /// The file from which a chart makes its roles.
    fn chart_file(sections: &[(&str, &[Rule])]) -> String {
        let quoted = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
            format!("[{}]", names.join(", "))
        };
        let mut text = "# Made from operator/controller/src/rbac.rs by `make generate`. Do not edit.\n".to_owned();
        for (section, rules) in sections {
            text += &format!("{section}:\n");
            for rule in *rules {
                let (resources, verbs) = (quoted(rule.resources), quoted(rule.verbs));
                text += &format!("- apiGroups: [{:?}]\n  resources: {resources}\n  verbs: {verbs}\n", rule.group);
            }
        }
        text
    }

    #[test]
    fn the_charts_roles_are_the_rules_of_this_module() {
        let hub = chart_file(&[
            ("aggregatorCluster", AGGREGATOR_CLUSTER),
            ("operatorCluster", OPERATOR_CLUSTER),
            ("operatorNamespace", OPERATOR_NAMESPACE),
            ("workerNamespace", WORKER_NAMESPACE),
        ]);
        let region = chart_file(&[("workerNamespace", WORKER_NAMESPACE)]);
        for (chart, file) in [("volley", hub), ("volley-region", region)] {
            let path = format!("{}/../../charts/{chart}/generated/rbac.yaml", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("VOLLEY_WRITE_REFERENCE").is_some() {
                std::fs::write(&path, &file).unwrap();
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), file, "run `make generate` and commit the file");
        }
    }
}
