//! Whether a LoadTest's definition can be run.

use super::observed::Observed;
use crate::definition::{self, Problem};

/// What keeps the definition from being run; `None`: nothing.
pub(super) fn validate(observed: &Observed) -> Option<Problem> {
    let namespace = observed.load_test.metadata.namespace.as_deref().unwrap_or_default();
    definition::check(&observed.load_test.spec, namespace, &observed.references).err()
}
