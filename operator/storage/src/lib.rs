//! Where data is kept: keys, documents, item layouts, S3 and DynamoDB clients and the embedded servers.

pub mod documents;
pub mod keys;
