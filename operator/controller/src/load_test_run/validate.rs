//! From what a run refers to, to what it would freeze.

use volley_api::LoadTestSpec;

use crate::definition::{self, Candidate, Problem, References, Requester};

/// What the run would freeze now.
pub(super) fn validate(
    spec: &LoadTestSpec,
    requester: Requester,
    references: &References,
) -> Result<Box<Candidate>, Problem> {
    definition::candidate(spec, requester, references).map(Box::new)
}
