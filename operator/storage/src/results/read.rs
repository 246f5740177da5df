//! Reading runs. Rows of a run that is not final do not exist for a reader.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

use crate::documents::RunIdentity;

use super::item::{Item, PK, SK, row, run_partition, run_sort_key, test_partition};
use super::write::FINAL;
use super::{ResultStore, ResultsError, RunRows, RunSummary, malformed};

/// Pages of one reading; a run has at most some thousand rows of a few KiB, a page holds 1 MiB.
const MAX_PAGES: usize = 64;

/// A final run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredRun {
    /// Its summary.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// True: people compare other runs with it.
    #[serde(default)]
    pub baseline: bool,
}

/// Some runs of a test, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<StoredRun>,
    /// Where the next page begins; `None`: this is the last one.
    pub next: Option<String>,
}

impl ResultStore {
    /// The final summary of a run; `None`: there is none.
    ///
    /// # Errors
    /// As the table answers; [`ResultsError::Malformed`] where the item is not what this release writes.
    pub async fn get_run(&self, installation: &str, run: &RunIdentity) -> Result<Option<StoredRun>, ResultsError> {
        let what = format!("run {}", run.uid);
        match self.summary_item(installation, run, &what).await? {
            Some(item) if item.contains_key(FINAL) => row(&item).map(Some).map_err(|words| malformed(&what, words)),
            _ => Ok(None),
        }
    }

    /// All detail rows of a run. Ask [`Self::get_run`] first: rows of a run that is not final mean nothing.
    ///
    /// # Errors
    /// As the table answers; [`ResultsError::Malformed`] where an item is not what this release writes.
    pub async fn get_rows(&self, installation: &str, run_uid: &str) -> Result<RunRows, ResultsError> {
        let what = format!("run {run_uid}");
        let partition = run_partition(installation, run_uid);
        let mut rows = RunRows::default();
        let unreadable = |words| malformed(&what, words);
        for item in self.query_partition(&partition, None, &what).await? {
            let key = item.get(SK).and_then(|key| key.as_s().ok()).map(String::as_str).unwrap_or_default();
            match key.split('#').next() {
                Some("REGION") => rows.regions.push(row(&item).map_err(unreadable)?),
                Some("LABEL") => rows.labels.push(row(&item).map_err(unreadable)?),
                Some("ERROR") => rows.errors.push(row(&item).map_err(unreadable)?),
                // A newer release may write more kinds.
                _ => {}
            }
        }
        Ok(rows)
    }

    /// Final runs of a test, newest first, at most `limit` looked at; `after` is [`RunPage::next`] of the page before.
    ///
    /// # Errors
    /// As the table answers; [`ResultsError::Malformed`] where an item is not what this release writes.
    pub async fn list_runs(
        &self,
        installation: &str,
        namespace: &str,
        load_test: &str,
        limit: u32,
        after: Option<&str>,
    ) -> Result<RunPage, ResultsError> {
        let what = format!("test {namespace}/{load_test}");
        let partition = AttributeValue::S(test_partition(installation, namespace, load_test));
        let mut request = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("PK = :pk AND begins_with(SK, :sk)")
            .expression_attribute_values(":pk", partition.clone())
            .expression_attribute_values(":sk", AttributeValue::S("RUN#".to_owned()))
            .scan_index_forward(false)
            .limit(i32::try_from(limit.clamp(1, 1000)).unwrap_or(1000));
        if let Some(after) = after {
            request = request.exclusive_start_key(PK, partition);
            request = request.exclusive_start_key(SK, AttributeValue::S(after.to_owned()));
        }
        let answer = request.send().await.map_err(|error| self.error("list runs of", &what, &error))?;
        let finals = answer.items().iter().filter(|item| item.contains_key(FINAL));
        let runs = finals.map(row).collect::<Result<_, _>>().map_err(|words| malformed(&what, words))?;
        let next = answer.last_evaluated_key().and_then(|key| key.get(SK)).and_then(|key| key.as_s().ok()).cloned();
        Ok(RunPage { runs, next })
    }

    pub(super) async fn summary_item(
        &self,
        installation: &str,
        run: &RunIdentity,
        what: &str,
    ) -> Result<Option<Item>, ResultsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, AttributeValue::S(test_partition(installation, &run.namespace, &run.load_test)))
            .key(SK, AttributeValue::S(run_sort_key(run.created_at, &run.uid)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.error("read", what, &error))?;
        Ok(answer.item)
    }

    /// Sort keys of all rows of a run.
    pub(super) async fn row_keys(&self, partition: &str, what: &str) -> Result<Vec<String>, ResultsError> {
        let items = self.query_partition(partition, Some(SK), what).await?;
        Ok(items
            .into_iter()
            .filter_map(|mut item| item.remove(SK))
            .filter_map(|key| key.as_s().ok().cloned())
            .collect())
    }

    async fn query_partition(
        &self,
        partition: &str,
        only: Option<&str>,
        what: &str,
    ) -> Result<Vec<Item>, ResultsError> {
        let mut items = Vec::new();
        let mut start = None;
        for _ in 0..MAX_PAGES {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("PK = :pk")
                .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()))
                .set_projection_expression(only.map(str::to_owned))
                .set_exclusive_start_key(start)
                .consistent_read(true)
                .send()
                .await
                .map_err(|error| self.error("read rows of", what, &error))?;
            items.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
        Err(malformed(what, format!("it has more than {MAX_PAGES} MiB of rows")))
    }
}
