//! Writing a run: detail rows, then the summary. Repeating it changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use futures::{StreamExt, TryStreamExt, stream};

use super::item::{Item, PK, SK, attributes, day_partition, run_partition, run_sort_key, sortable, test_partition};
use super::table::{CREATED, EXPIRES_AT, RECENT_DAY};
use super::{ResultStore, ResultsError, RunRows, RunSummary, malformed};

/// Items of one `BatchWriteItem`: DynamoDB's limit.
const BATCH: usize = 25;
/// Batches at the same time.
const BATCHES: usize = 4;
/// How often unprocessed items are sent again: with doubling pauses from 50 ms these are about 6 s.
const BATCH_ATTEMPTS: u32 = 8;
/// Attribute that makes a summary count.
pub(super) const FINAL: &str = "final";

/// Outcome of writing a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// The run is final now.
    Written,
    /// It was final already, with the same summary: nothing was changed.
    Repeated,
    /// It was final already, with another summary, which stays: nothing was changed.
    Differs,
}

impl ResultStore {
    /// Writes the rows and the summary of a run and makes it final.
    ///
    /// # Errors
    /// As the table answers. Repeating it after an error is right.
    pub async fn write_run(
        &self,
        installation: &str,
        summary: &RunSummary,
        rows: &RunRows,
    ) -> Result<Publication, ResultsError> {
        let what = format!("run {}", summary.run.uid);
        let item = attributes(summary).map_err(|words| malformed(&what, words))?;
        if let Some(stands) = self.stands(installation, summary, &item, &what).await? {
            return Ok(stands);
        }
        self.write_rows(installation, summary, rows, &what).await?;
        if self.make_final(installation, summary, item.clone(), &what).await? {
            return Ok(Publication::Written);
        }
        // Somebody else was first since we looked.
        Ok(self.stands(installation, summary, &item, &what).await?.unwrap_or(Publication::Differs))
    }

    /// Whether the run is final, and with which summary; `None`: it is not.
    async fn stands(
        &self,
        installation: &str,
        summary: &RunSummary,
        ours: &Item,
        what: &str,
    ) -> Result<Option<Publication>, ResultsError> {
        let Some(there) = self.summary_item(installation, &summary.run, what).await? else { return Ok(None) };
        if !there.contains_key(FINAL) {
            return Ok(None);
        }
        let same = ours.iter().all(|(name, value)| there.get(name) == Some(value));
        Ok(Some(if same { Publication::Repeated } else { Publication::Differs }))
    }

    async fn write_rows(
        &self,
        installation: &str,
        summary: &RunSummary,
        rows: &RunRows,
        what: &str,
    ) -> Result<(), ResultsError> {
        let partition = run_partition(installation, &summary.run.uid);
        let items = row_items(&partition, summary.expires_at, rows).map_err(|words| malformed(what, words))?;
        let mut requests = Vec::with_capacity(items.len());
        // What an earlier, unfinished attempt wrote and this one does not write would stay behind.
        for stale in self.row_keys(&partition, what).await?.into_iter().filter(|key| !items.contains_key(key)) {
            let key = [(PK, &partition), (SK, &stale)];
            let key = key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.clone())));
            let delete = DeleteRequest::builder().set_key(Some(key.into_iter().collect())).build();
            let delete = delete.map_err(|error| malformed(what, error.to_string()))?;
            requests.push(WriteRequest::builder().delete_request(delete).build());
        }
        for item in items.into_values() {
            let put = PutRequest::builder().set_item(Some(item)).build();
            let put = put.map_err(|error| malformed(what, error.to_string()))?;
            requests.push(WriteRequest::builder().put_request(put).build());
        }
        let batches: Vec<Vec<WriteRequest>> = requests.chunks(BATCH).map(<[WriteRequest]>::to_vec).collect();
        let mut writing = stream::iter(batches).map(|batch| self.write_batch(batch, what)).buffer_unordered(BATCHES);
        while let Some(()) = writing.try_next().await? {}
        Ok(())
    }

    async fn write_batch(&self, batch: Vec<WriteRequest>, what: &str) -> Result<(), ResultsError> {
        let mut rest = batch;
        let mut pause = Duration::from_millis(50);
        for _ in 0..BATCH_ATTEMPTS {
            let request = self.client.batch_write_item().request_items(&self.table, rest);
            let answer = request.send().await.map_err(|error| self.error("write rows of", what, &error))?;
            let unprocessed = answer.unprocessed_items.unwrap_or_default().remove(&self.table).unwrap_or_default();
            if unprocessed.is_empty() {
                return Ok(());
            }
            rest = unprocessed;
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
        let words = format!("{} rows were not accepted in {BATCH_ATTEMPTS} attempts", rest.len());
        Err(ResultsError::Unavailable { operation: "write rows of", what: what.to_owned(), words })
    }

    /// Makes the summary final; false: it is final already.
    async fn make_final(
        &self,
        installation: &str,
        summary: &RunSummary,
        mut values: Item,
        what: &str,
    ) -> Result<bool, ResultsError> {
        let run = &summary.run;
        values.insert(FINAL.to_owned(), AttributeValue::Bool(true));
        values.insert(RECENT_DAY.to_owned(), AttributeValue::S(day_partition(installation, run.created_at)));
        values.insert(CREATED.to_owned(), AttributeValue::S(sortable(run.created_at)));
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(PK, AttributeValue::S(test_partition(installation, &run.namespace, &run.load_test)))
            .key(SK, AttributeValue::S(run_sort_key(run.created_at, &run.uid)))
            .condition_expression("attribute_not_exists(#final)")
            .expression_attribute_names("#final", FINAL);
        // Names sorted, so that the same summary is the same request. `baseline` is never among them.
        let mut assignments = Vec::new();
        for (at, (name, value)) in values.into_iter().collect::<BTreeMap<_, _>>().into_iter().enumerate() {
            let placeholder = if name == FINAL { "#final".to_owned() } else { format!("#n{at}") };
            assignments.push(format!("{placeholder} = :v{at}"));
            request = request.expression_attribute_names(placeholder, name);
            request = request.expression_attribute_values(format!(":v{at}"), value);
        }
        match request.update_expression(format!("SET {}", assignments.join(", "))).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(self.error("finish", what, &error)),
        }
    }
}

/// The items of all rows by sort key.
fn row_items(partition: &str, expires_at: i64, rows: &RunRows) -> Result<BTreeMap<String, Item>, String> {
    let regions = rows.regions.iter().map(|row| (row.sort_key(), attributes(row)));
    let labels = rows.labels.iter().map(|row| (row.sort_key(), attributes(row)));
    let errors = rows.errors.iter().map(|row| (row.sort_key(), attributes(row)));
    let mut items = BTreeMap::new();
    for (key, attributes) in regions.chain(labels).chain(errors) {
        let mut item = attributes?;
        item.insert(PK.to_owned(), AttributeValue::S(partition.to_owned()));
        item.insert(SK.to_owned(), AttributeValue::S(key.clone()));
        item.insert(EXPIRES_AT.to_owned(), AttributeValue::N(expires_at.to_string()));
        items.insert(key, item);
    }
    Ok(items)
}
