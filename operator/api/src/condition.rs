//! Condition types and reasons, and the one way to set a condition.
