//! Names of the objects that a run makes.
