//! A RegionTarget's plan has no actions on objects. What follows from targets is which namespaces' Jobs are watched.

use std::collections::BTreeSet;

use volley_api::RegionTarget;

use crate::clusters::Place;
use crate::context::Context;

/// Watch the Jobs of all targets, and those of the operator's own namespace.
pub(super) fn apply(context: &Context) {
    let own = Place { target: String::new(), namespace: context.settings.namespace.clone() };
    let places: BTreeSet<Place> = context
        .targets
        .state()
        .iter()
        .map(|target: &std::sync::Arc<RegionTarget>| Place {
            target: target.metadata.name.clone().unwrap_or_default(),
            namespace: target.spec.namespace.clone(),
        })
        .chain([own])
        .collect();
    context.job_watches.set(places);
}
