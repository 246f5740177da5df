//! Whether the workers of a run fit beside those of the other runs. Decided before anything is made.
//!
//! * [`admit`] is the rule: pure, for any number of limits of a target.
//! * [`Usage::of`] is what a run has by its status; [`Usage::wanted`] what it would have by its definition.
//! * [`Admissions`] is the only caller that decides: one run after the other, over a fresh list of all runs and over those that it
//!   has let in and whose status does not say so yet.

mod admissions;
mod usage;

use std::fmt;

pub(crate) use admissions::Admissions;
pub use usage::Usage;
pub(crate) use usage::{limits, vcpu};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Workers.
    Workers,
    /// CPU, in thousandths of a vCPU.
    Millicores,
}

impl Resource {
    fn of(self, usage: Usage) -> u64 {
        match self {
            Self::Workers => usage.workers,
            Self::Millicores => usage.millicores,
        }
    }

    /// An amount in the words of people: `7 workers`, `7.5 vCPU`.
    fn words(self, amount: u64) -> String {
        match self {
            Self::Workers => format!("{amount} workers"),
            Self::Millicores => format!("{} vCPU", vcpu(amount)),
        }
    }
}

/// One limit of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What to raise, for people: `spec.capacity.maxWorkers`.
    pub name: String,
    /// What it is about.
    pub resource: Resource,
    /// All that may be had.
    pub most: u64,
    /// What others have of it.
    pub used: u64,
}

/// A run does not fit into a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Shortage {
    /// Name of the RegionTarget.
    pub target: String,
    /// The limit that is too small.
    pub limit: Limit,
    /// What the run needs of it.
    pub wanted: u64,
}

impl Shortage {
    /// What nobody has.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.limit.most.saturating_sub(self.limit.used)
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limit { name, resource, most, used } = &self.limit;
        let remedy = if self.wanted > *most {
            format!("raise {name} or ask for less there")
        } else {
            format!("wait until other runs have ended, raise {name}, or ask for less there")
        };
        write!(
            formatter,
            "RegionTarget {} has no room for the run: {} are wanted, {} are free ({name} is {}, {} of it are in use); {remedy}",
            self.target,
            resource.words(self.wanted),
            resource.words(self.free()),
            resource.words(*most),
            resource.words(*used),
        )
    }
}

/// Whether what a run wants of a target is within every limit.
///
/// # Errors
/// The first limit that is too small.
pub fn admit(target: &str, wanted: Usage, limits: &[Limit]) -> Result<(), Shortage> {
    for limit in limits {
        let wanted = limit.resource.of(wanted);
        if limit.used.saturating_add(wanted) > limit.most {
            return Err(Shortage { target: target.to_owned(), limit: limit.clone(), wanted });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn limit(resource: Resource, most: u64, used: u64) -> Limit {
        Limit { name: "spec.capacity".into(), resource, most, used }
    }

    #[rstest]
    #[case::to_the_last_worker(3, 7, true)]
    #[case::one_too_many(4, 7, false)]
    #[case::more_are_in_use_than_may_be(1, 11, false)]
    #[case::beyond_all_numbers(u64::MAX, 7, false)]
    fn a_run_fits_when_it_and_the_others_are_within_the_limit(
        #[case] workers: u64,
        #[case] used: u64,
        #[case] fits: bool,
    ) {
        let wanted = Usage { workers, millicores: 0 };
        assert_eq!(admit("eu", wanted, &[limit(Resource::Workers, 10, used)]).is_ok(), fits);
    }

    #[test]
    fn every_limit_counts_and_the_one_that_is_too_small_is_named_with_wanted_and_free() {
        let wanted = Usage { workers: 4, millicores: 2_000 };
        let limits = [limit(Resource::Workers, 10, 0), limit(Resource::Millicores, 4_000, 2_500)];
        let shortage = admit("eu", wanted, &limits).unwrap_err();
        assert_eq!((shortage.wanted, shortage.free()), (2_000, 1_500));
        let words = shortage.to_string();
        assert!(words.contains("RegionTarget eu") && words.contains("2 vCPU are wanted, 1.5 vCPU are free"), "{words}");
        assert_eq!(admit("eu", wanted, &limits[..1]), Ok(()));
        assert_eq!(admit("eu", wanted, &[]), Ok(()));
    }
}
