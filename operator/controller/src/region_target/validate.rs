//! What a target's spec says against itself, which no schema can see.

use super::observed::Observed;

/// What is wrong with the spec; `None`: nothing.
pub(super) fn validate(observed: &Observed) -> Option<String> {
    let namespace = &observed.target.spec.namespace;
    (*namespace == observed.operator_namespace).then(|| {
        format!(
            "spec.namespace is {namespace}, the operator's own; workers run strangers' scripts, so give them another one, for example volley-workers"
        )
    })
}
