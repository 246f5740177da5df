//! The table itself, for the embedded storage; on AWS the infrastructure code creates it.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TimeToLiveSpecification,
};

use super::item::{PK, SK};
use super::{ResultStore, ResultsError};

/// Name of the index over all runs by day.
pub(super) const RECENT_INDEX: &str = "recent";
/// Partition key of the index.
pub(super) const RECENT_DAY: &str = "recentDay";
/// Sort key of the index.
pub(super) const CREATED: &str = "created";
/// Attribute by which DynamoDB removes items.
pub(super) const EXPIRES_AT: &str = "expiresAt";
/// Attributes that the index carries beside the keys: what a list of runs shows. Never results.
const RECENT_ATTRIBUTES: [&str; 4] = ["run", "verdict", "final", "complete"];

impl ResultStore {
    /// Creates the table with its index and its time to live where it is not there.
    ///
    /// # Errors
    /// As the table answers.
    pub async fn create_table_if_absent(&self) -> Result<(), ResultsError> {
        let what = format!("table {}", self.table);
        let built = |error: aws_sdk_dynamodb::error::BuildError| ResultsError::Refused {
            operation: "create",
            what: what.clone(),
            words: error.to_string(),
        };
        let attribute = |name: &str| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let projection = Projection::builder()
            .projection_type(ProjectionType::Include)
            .set_non_key_attributes(Some(RECENT_ATTRIBUTES.map(str::to_owned).to_vec()))
            .build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(RECENT_INDEX)
            .key_schema(key(RECENT_DAY, KeyType::Hash).map_err(built)?)
            .key_schema(key(CREATED, KeyType::Range).map_err(built)?)
            .projection(projection)
            .build()
            .map_err(built)?;
        let created = self
            .client
            .create_table()
            .table_name(&self.table)
            .attribute_definitions(attribute(PK).map_err(built)?)
            .attribute_definitions(attribute(SK).map_err(built)?)
            .attribute_definitions(attribute(RECENT_DAY).map_err(built)?)
            .attribute_definitions(attribute(CREATED).map_err(built)?)
            .key_schema(key(PK, KeyType::Hash).map_err(built)?)
            .key_schema(key(SK, KeyType::Range).map_err(built)?)
            .global_secondary_indexes(index)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await;
        match created {
            Ok(_) => {}
            Err(error) if error.code() == Some("ResourceInUseException") => return Ok(()),
            Err(error) => return Err(self.error("create", &what, &error)),
        }
        let lifetime = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES_AT).build();
        let enabled = self
            .client
            .update_time_to_live()
            .table_name(&self.table)
            .time_to_live_specification(lifetime.map_err(built)?)
            .send()
            .await;
        enabled.map(|_| ()).map_err(|error| self.error("set the time to live of", &what, &error))
    }
}
