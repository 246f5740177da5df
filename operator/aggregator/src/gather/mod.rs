//! Reads what a run left in the storage: first its documents, then the workers' statistics.

pub mod documents;
pub mod statistics;
pub mod workers;
