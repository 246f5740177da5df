//! The S3 protocol over the store: `s3s` speaks it and checks signatures, this says what each operation does.

mod access;
mod bucket;
mod receive;

use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use std::sync::Arc;

use super::store::Store;

/// The service for one bucket.
pub(super) fn service(store: Store, bucket: &str, root_key: &str) -> S3Service {
    let mut builder = S3ServiceBuilder::new(bucket::Bucket::new(store, bucket));
    builder.set_auth(access::Secrets::new(root_key));
    builder.set_access(access::Rights);
    let mut config = S3Config::default();
    // Bounds the memory of one request; a list of 10,000 parts or 1,000 keys is far below.
    config.xml_max_body_size = 4 * 1024 * 1024;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.build()
}
