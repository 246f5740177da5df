//! What a reconcile of a LoadTest has seen, as data.

use volley_api::digest::TriggerMark;
use volley_api::{LoadTest, LoadTestRun, labels};

use crate::definition::References;

/// Annotation with the LoadTest's uid: the trigger is decided, its run not yet made. It is written together with
/// [`labels::TRIGGERED`] and removed once the run is there, so that a crash in between loses no run, and a LoadTest that
/// was restored from a backup (with another uid) makes none.
pub const TRIGGERING: &str = "volley.dev/triggering";

/// Everything that a plan may depend on, beside the time.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The LoadTest.
    pub load_test: LoadTest,
    /// Its runs, in no order.
    pub runs: Vec<LoadTestRun>,
    /// What its definition refers to.
    pub references: References,
}

/// What the annotation [`labels::TRIGGERED`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Triggered {
    /// Nothing was triggered yet.
    Never,
    /// By this definition.
    By(TriggerMark),
    /// By a release that counts digests differently; what it says cannot be compared.
    Unknown,
}

impl Observed {
    /// What the annotation says.
    #[must_use]
    pub fn triggered(&self) -> Triggered {
        let annotations = self.load_test.metadata.annotations.as_ref();
        let Some(text) = annotations.and_then(|all| all.get(labels::TRIGGERED)) else { return Triggered::Never };
        text.parse().map_or(Triggered::Unknown, Triggered::By)
    }

    /// A trigger was decided whose run may not be there yet.
    #[must_use]
    pub fn triggering(&self) -> bool {
        let annotations = self.load_test.metadata.annotations.as_ref();
        annotations
            .and_then(|all| all.get(TRIGGERING))
            .is_some_and(|uid| Some(uid) == self.load_test.metadata.uid.as_ref())
    }

    /// The annotation [`TRIGGERING`] is there, whatever it says.
    #[must_use]
    pub fn has_triggering(&self) -> bool {
        self.load_test.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(TRIGGERING))
    }
}
