//! The client side of DynamoDB: one table with a summary per run and its detail rows.
//!
//! | PK | SK | item |
//! |---|---|---|
//! | `<installation>#TEST#<namespace>/<name>` | `RUN#<created>#<uid>` | [`RunSummary`], plus `final`, `baseline`, and `recentDay`, `created` for the index |
//! | `<installation>#RUN#<uid>` | `REGION#<target>` | [`RegionRow`] |
//! | `<installation>#RUN#<uid>` | `LABEL#<target or *>#<rank>` | [`LabelRow`] |
//! | `<installation>#RUN#<uid>` | `ERROR#<rank>` | [`ErrorRow`] |
//!
//! Index `recent`: `recentDay` (`<installation>#<YYYY-MM-DD>`), `created`; keys only, and a few attributes.
//!
//! Order of a write: detail rows first, then one conditional update makes the summary final. Readers ignore rows of a run
//! that is not final, so a crash in between shows nothing half. A final run is never written again, and no write names the
//! attribute `baseline`.

mod error;
mod item;
mod read;
mod rows;
mod table;
mod write;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::settings::{KeyPair, StorageSettings};

pub use error::ResultsError;
pub use read::{RunPage, StoredRun};
pub use rows::{ERROR_ROWS, ErrorRow, LABEL_ROWS, LabelRow, RegionRow, RunRows, RunSummary, rows_of, summary_of};
pub use write::Publication;

/// The table. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct ResultStore {
    client: Client,
    table: String,
}

impl ResultStore {
    /// The table of the settings, with the credentials that the AWS SDK finds. Nothing is sent yet.
    pub async fn connect(settings: &StorageSettings) -> Self {
        Self::from_config(settings, &settings.sdk_config().await)
    }

    /// The table of the settings, with a given key pair. Nothing is sent yet.
    #[must_use]
    pub fn with_key(settings: &StorageSettings, keys: &KeyPair) -> Self {
        Self::from_config(settings, &settings.sdk_config_with(keys))
    }

    fn from_config(settings: &StorageSettings, config: &SdkConfig) -> Self {
        let mut builder = aws_sdk_dynamodb::config::Builder::from(config);
        if let Some(endpoint) = &settings.dynamodb_endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        Self { client: Client::from_conf(builder.build()), table: settings.table.clone() }
    }

    /// Name of the table.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    fn error<E>(&self, operation: &'static str, what: &str, error: &SdkError<E, HttpResponse>) -> ResultsError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        error::from_sdk(operation, what, &self.table, error)
    }
}

fn malformed(what: &str, words: String) -> ResultsError {
    ResultsError::Malformed { what: what.to_owned(), words }
}
