//! Conditions: their types, the one way to set one, and equality that ignores times.
//!
//! Guarantees: a transition time changes only when the status does; a type stands in a list once. The clock is the caller's.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// Longest message of a condition, in bytes; the API server allows 32 KiB, a reader far less.
pub const LONGEST_MESSAGE: usize = 3 * 1024;

/// Types of conditions of all three kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionType {
    /// Run: the definition is frozen and the plan is made.
    Planned,
    /// Run: enough workers are at the gate and the start is decided.
    Provisioned,
    /// Run: the load has begun.
    Started,
    /// Run: what the workers uploaded is listed for good. Present and not True: the load has ended, workers upload.
    Collected,
    /// Run: the result is written.
    Aggregated,
    /// Run: it has ended, in whatever way.
    Finished,
    /// Run: it ended well. Its reason is an [`EndReason`](crate::load_test_run::EndReason) once the run has ended.
    Succeeded,
    /// LoadTest, RegionTarget: it can be used.
    Ready,
    /// kstatus: something is under way.
    Reconciling,
    /// kstatus: somebody has to act.
    Stalled,
    /// LoadTest: edited after its run.
    DefinitionChanged,
    /// RegionTarget: its API server answers.
    Reachable,
    /// RegionTarget: the operator has the rights that it needs.
    Authorized,
    /// RegionTarget: its version is supported.
    Compatible,
    /// RegionTarget: nothing from outside reaches a worker.
    IngressIsolation,
    /// RegionTarget: what the account may run on Fargate is known.
    QuotaKnown,
    /// RegionTarget: objects of deleted runs could not be removed.
    Leftovers,
}

impl ConditionType {
    /// All types.
    pub const ALL: [Self; 17] = [
        Self::Planned,
        Self::Provisioned,
        Self::Started,
        Self::Collected,
        Self::Aggregated,
        Self::Finished,
        Self::Succeeded,
        Self::Ready,
        Self::Reconciling,
        Self::Stalled,
        Self::DefinitionChanged,
        Self::Reachable,
        Self::Authorized,
        Self::Compatible,
        Self::IngressIsolation,
        Self::QuotaKnown,
        Self::Leftovers,
    ];

    /// As it stands in the object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "Planned",
            Self::Provisioned => "Provisioned",
            Self::Started => "Started",
            Self::Collected => "Collected",
            Self::Aggregated => "Aggregated",
            Self::Finished => "Finished",
            Self::Succeeded => "Succeeded",
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::DefinitionChanged => "DefinitionChanged",
            Self::Reachable => "Reachable",
            Self::Authorized => "Authorized",
            Self::Compatible => "Compatible",
            Self::IngressIsolation => "IngressIsolation",
            Self::QuotaKnown => "QuotaKnown",
            Self::Leftovers => "Leftovers",
        }
    }
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be said yet.
    Unknown,
}

impl Status {
    /// As it stands in the object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// The condition of a type.
#[must_use]
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

/// A condition is there and True.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: ConditionType) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == Status::True.as_str())
}

/// Sets a condition and says whether anything but its time changed. `condition.last_transition_time` is the present; it is
/// kept only where the status differs from before.
pub fn set(conditions: &mut Vec<Condition>, mut condition: Condition) -> bool {
    condition.message = bounded(&condition.message);
    let Some(existing) = conditions.iter_mut().find(|existing| existing.type_ == condition.type_) else {
        conditions.push(condition);
        return true;
    };
    if existing.status == condition.status {
        condition.last_transition_time = existing.last_transition_time.clone();
    }
    let changed = !same(existing, &condition);
    *existing = condition;
    changed
}

/// Two lists say the same, whatever their order and times. A writer that asks this first writes no status twice.
#[must_use]
pub fn equal_ignoring_times(left: &[Condition], right: &[Condition]) -> bool {
    left.len() == right.len()
        && left.iter().all(|one| right.iter().any(|other| other.type_ == one.type_ && same(one, other)))
}

fn same(left: &Condition, right: &Condition) -> bool {
    (&left.type_, &left.status, &left.reason, &left.message, left.observed_generation)
        == (&right.type_, &right.status, &right.reason, &right.message, right.observed_generation)
}

/// A message of at most [`LONGEST_MESSAGE`] bytes, cut at a character's edge.
#[must_use]
pub fn bounded(message: &str) -> String {
    const MARK: &str = " …";
    if message.len() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    let limit = LONGEST_MESSAGE - MARK.len();
    let end = (0..=limit).rev().find(|index| message.is_char_boundary(*index)).unwrap_or(0);
    format!("{}{MARK}", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    fn condition(status: Status, message: &str, second: i64) -> Condition {
        Condition {
            type_: ConditionType::Ready.as_str().into(),
            status: status.as_str().into(),
            reason: "Because".into(),
            message: message.into(),
            observed_generation: Some(1),
            last_transition_time: at(second),
        }
    }

    #[test]
    fn a_transition_time_changes_only_with_the_status() {
        let mut conditions = Vec::new();
        assert!(set(&mut conditions, condition(Status::False, "a", 10)));
        assert!(set(&mut conditions, condition(Status::False, "b", 20)));
        assert_eq!((conditions[0].message.as_str(), &conditions[0].last_transition_time), ("b", &at(10)));
        assert!(set(&mut conditions, condition(Status::True, "b", 30)));
        assert_eq!((conditions.len(), &conditions[0].last_transition_time), (1, &at(30)));
        assert!(is_true(&conditions, ConditionType::Ready));
    }

    #[test]
    fn setting_the_same_again_is_no_change() {
        let mut conditions = vec![condition(Status::False, "a", 10)];
        assert!(!set(&mut conditions, condition(Status::False, "a", 20)));
        assert_eq!(conditions, vec![condition(Status::False, "a", 10)]);
    }

    #[test]
    fn equality_ignores_times_and_order_and_nothing_else() {
        let other = Condition { type_: "Stalled".into(), ..condition(Status::False, "a", 1) };
        let left = [condition(Status::True, "a", 1), other.clone()];
        assert!(equal_ignoring_times(&left, &[other.clone(), condition(Status::True, "a", 99)]));
        assert!(!equal_ignoring_times(&left, &[other.clone(), condition(Status::True, "b", 1)]));
        assert!(!equal_ignoring_times(&left, &[other.clone(), other.clone()]));
        assert!(!equal_ignoring_times(&left, &[other]));
    }

    #[test]
    fn a_long_message_is_cut_at_a_characters_edge() {
        let message = bounded(&"ä".repeat(LONGEST_MESSAGE));
        assert!(message.len() <= LONGEST_MESSAGE && message.ends_with('…'));
        assert_eq!(bounded("short"), "short");
    }
}
