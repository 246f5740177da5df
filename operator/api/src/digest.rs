//! The digest of a definition: what changes the load, and nothing else.
