//! The table: conditional writes, batches, queries, and that a run becomes final once.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::config::{Builder, Credentials, Region};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use volley_api::load_test_run::Verdict;
use volley_storage::documents::{
    DOCUMENT_VERSION, ErrorGroup, Figures, LabelFigures, RegionFigures, ResultDocument, RunIdentity, WorkerCounts,
};
use volley_storage::results::{Publication, RunSummary, rows_of, summary_of};
use volley_storage::{FailureClass, KeyPair, ResultStore, ResultsError};

use crate::place::Place;

pub(crate) fn figures(requests: u64, errors: u64) -> Figures {
    Figures {
        requests,
        errors,
        p95_us: Some(142_000),
        codes: BTreeMap::from([("200".into(), requests)]),
        ..Figures::default()
    }
}

/// A result with many labels: the number of rows is what the batches are about.
pub(crate) fn result(uid: &str, created_at: &str, labels: u64) -> ResultDocument {
    let workers = WorkerCounts { planned: 2, started: 2, complete: 2, ..WorkerCounts::default() };
    ResultDocument {
        version: DOCUMENT_VERSION,
        run: RunIdentity {
            uid: uid.into(),
            name: format!("checkout-{uid}"),
            namespace: "shop".into(),
            load_test: "checkout".into(),
            created_at: created_at.parse().unwrap(),
        },
        definition_digest: "v1:00".into(),
        verdict: Verdict::NotJudged,
        thresholds: Vec::new(),
        stopped: None,
        start_at: None,
        interval: None,
        peak_users: Some(10),
        totals: figures(1000, 3),
        workers_total: workers,
        regions: vec![RegionFigures {
            target: "local".into(),
            region: "eu-west-1".into(),
            users_per_worker: Some(5),
            left_out: None,
            workers,
            latest_us: None,
            release_skew: None,
            first_sample_skew: None,
            figures: figures(1000, 3),
            cost_micro_dollars: None,
        }],
        workers: Vec::new(),
        labels: (0..labels)
            .map(|number| LabelFigures {
                target: None,
                label: format!("label {number}"),
                transaction: false,
                lower_bound: false,
                figures: figures(number, number % 3),
            })
            .collect(),
        errors: vec![ErrorGroup { label: None, code: "500".into(), message: "Internal Server Error".into(), count: 3 }],
        series: Vec::new(),
        complete: true,
        cost_micro_dollars: None,
        warnings: vec!["one".into()],
    }
}

pub(crate) fn summary(document: &ResultDocument) -> RunSummary {
    // Far in the future: a table with a time to live must not remove it under the test.
    summary_of(document, "s3://b/runs/v1/u/".into(), "2099-01-01T00:00:00Z".parse().unwrap())
}

fn client(place: &Place, keys: &KeyPair) -> aws_sdk_dynamodb::Client {
    let credentials = Credentials::new(&keys.access_key, &keys.secret_key, None, None, "test");
    let config = Builder::new()
        .behavior_version_latest()
        .region(Region::new(place.settings.region.clone()))
        .endpoint_url(place.settings.dynamodb_endpoint.clone().unwrap())
        .credentials_provider(credentials);
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

#[tokio::test]
async fn a_run_is_written_and_read_back_row_by_row() {
    let place = Place::any().await;
    let document = result("u1", "2026-11-25T10:00:00.5Z", 130);
    let (summary, rows) = (summary(&document), rows_of(&document));
    assert_eq!(place.results.get_run(&place.own, &document.run).await.unwrap(), None);
    assert_eq!(place.results.write_run(&place.own, &summary, &rows).await.unwrap(), Publication::Written);
    let stored = place.results.get_run(&place.own, &document.run).await.unwrap().unwrap();
    assert_eq!((stored.summary, stored.baseline), (summary, false));
    let read = place.results.get_rows(&place.own, "u1").await.unwrap();
    assert_eq!(read.labels.len(), 130);
    assert_eq!(read, rows);
    assert!(read.labels.is_sorted_by_key(|row| row.rank), "a query gives the rows in the order of their keys");
    place.clean().await;
}

#[tokio::test]
async fn a_run_becomes_final_once_and_a_repetition_changes_nothing() {
    let place = Place::any().await;
    let document = result("u1", "2026-11-25T10:00:00Z", 5);
    let (first, rows) = (summary(&document), rows_of(&document));
    assert_eq!(place.results.write_run(&place.own, &first, &rows).await.unwrap(), Publication::Written);
    assert_eq!(place.results.write_run(&place.own, &first, &rows).await.unwrap(), Publication::Repeated);
    let mut other = result("u1", "2026-11-25T10:00:00Z", 2);
    other.totals.requests = 7;
    let outcome = place.results.write_run(&place.own, &summary(&other), &rows_of(&other)).await.unwrap();
    assert_eq!(outcome, Publication::Differs);
    assert_eq!(place.results.get_run(&place.own, &document.run).await.unwrap().unwrap().summary, first);
    assert_eq!(place.results.get_rows(&place.own, "u1").await.unwrap(), rows, "rows of a final run stay");
    let listed = place.results.list_runs(&place.own, "shop", "checkout", 10, None).await.unwrap();
    assert_eq!(listed.runs.len(), 1, "one item");
    place.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_of_a_run_exactly_one_makes_it_final() {
    let place = Place::any().await;
    let writers = (0..8).map(|writer| {
        let (results, own) = (place.results.clone(), place.own.clone());
        tokio::spawn(async move {
            let mut document = result("u1", "2026-11-25T10:00:00Z", 3);
            document.totals.requests = 1000 + writer;
            results.write_run(&own, &summary(&document), &rows_of(&document)).await.unwrap()
        })
    });
    let outcomes: Vec<_> = futures::future::join_all(writers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Publication::Written).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Publication::Differs).count(), 7, "{outcomes:?}");
    place.clean().await;
}

#[tokio::test]
async fn the_baseline_flag_is_never_touched() {
    let Some(place) = Place::embedded("the_baseline_flag_is_never_touched").await else { return };
    let document = result("u1", "2026-11-25T10:00:00Z", 1);
    // Set before the run became final: the write must neither remove nor need it.
    let set = client(&place, &place.server().root_keys())
        .update_item()
        .table_name(place.results.table())
        .key("PK", AttributeValue::S(format!("{}#TEST#shop/checkout", place.own)))
        .key("SK", AttributeValue::S("RUN#2026-11-25T10:00:00.000000Z#u1".into()))
        .update_expression("SET baseline = :yes")
        .expression_attribute_values(":yes", AttributeValue::Bool(true));
    set.send().await.unwrap();
    assert_eq!(place.results.get_run(&place.own, &document.run).await.unwrap(), None, "not final");
    let listed = place.results.list_runs(&place.own, "shop", "checkout", 10, None).await.unwrap();
    assert!(listed.runs.is_empty(), "a run that is not final is not listed");
    for _ in 0..2 {
        place.results.write_run(&place.own, &summary(&document), &rows_of(&document)).await.unwrap();
        assert!(place.results.get_run(&place.own, &document.run).await.unwrap().unwrap().baseline);
    }
    place.clean().await;
}

#[tokio::test]
async fn rows_of_an_unfinished_attempt_do_not_stay_behind() {
    let Some(place) = Place::embedded("rows_of_an_unfinished_attempt_do_not_stay_behind").await else { return };
    let stale = client(&place, &place.server().root_keys())
        .put_item()
        .table_name(place.results.table())
        .item("PK", AttributeValue::S(format!("{}#RUN#u1", place.own)))
        .item("SK", AttributeValue::S("LABEL#*#00400".into()));
    stale.send().await.unwrap();
    let document = result("u1", "2026-11-25T10:00:00Z", 3);
    place.results.write_run(&place.own, &summary(&document), &rows_of(&document)).await.unwrap();
    assert_eq!(place.results.get_rows(&place.own, "u1").await.unwrap(), rows_of(&document));
    place.clean().await;
}

#[tokio::test]
async fn runs_of_a_test_come_newest_first_over_pages() {
    let place = Place::any().await;
    for (uid, created_at) in
        [("b", "2026-11-25T10:00:00Z"), ("c", "2026-11-25T10:00:00.000001Z"), ("a", "2026-11-24T23:59:59Z")]
    {
        let document = result(uid, created_at, 1);
        place.results.write_run(&place.own, &summary(&document), &rows_of(&document)).await.unwrap();
    }
    let (mut uids, mut after) = (Vec::new(), None);
    loop {
        let page = place.results.list_runs(&place.own, "shop", "checkout", 2, after.as_deref()).await.unwrap();
        assert!(page.runs.len() <= 2);
        uids.extend(page.runs.into_iter().map(|run| run.summary.run.uid));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(uids, ["c", "b", "a"]);
    let others = place.results.list_runs(&place.own, "shop", "check", 10, None).await.unwrap();
    assert!(others.runs.is_empty(), "a test whose name begins the same is another one");
    place.clean().await;
}

#[tokio::test]
async fn the_index_over_all_runs_lists_a_day_without_results() {
    let Some(place) = Place::embedded("the_index_over_all_runs_lists_a_day_without_results").await else { return };
    let document = result("u1", "2026-11-25T10:00:00Z", 1);
    place.results.write_run(&place.own, &summary(&document), &rows_of(&document)).await.unwrap();
    let query = client(&place, &place.server().root_keys())
        .query()
        .table_name(place.results.table())
        .index_name("recent")
        .key_condition_expression("recentDay = :day")
        .expression_attribute_values(":day", AttributeValue::S(format!("{}#2026-11-25", place.own)));
    let answer = query.send().await.unwrap();
    assert_eq!(answer.count(), 1);
    assert!(answer.items()[0].contains_key("verdict") && !answer.items()[0].contains_key("totals"), "{answer:?}");
    place.clean().await;
}

#[tokio::test]
async fn creating_the_table_again_is_harmless() {
    let Some(place) = Place::embedded("creating_the_table_again_is_harmless").await else { return };
    let document = result("u1", "2026-11-25T10:00:00Z", 1);
    place.results.write_run(&place.own, &summary(&document), &rows_of(&document)).await.unwrap();
    let place = place.restart().await;
    place.results.create_table_if_absent().await.unwrap();
    assert!(place.results.get_run(&place.own, &document.run).await.unwrap().is_some());
    place.clean().await;
}

#[tokio::test]
async fn only_the_root_key_reaches_the_table() {
    let Some(place) = Place::embedded("only_the_root_key_reaches_the_table").await else { return };
    let run = result("u1", "2026-11-25T10:00:00Z", 1).run;
    let wrong = KeyPair { access_key: "volley".into(), secret_key: "not-the-root-key-at-all".into() };
    for keys in [place.server().run_keys("u1"), wrong] {
        let error = ResultStore::with_key(&place.settings, &keys).get_run("i", &run).await.unwrap_err();
        assert!(matches!(error, ResultsError::Denied { .. }), "{error}");
        assert_eq!(error.class(), FailureClass::NeedsChange);
    }
    let endpoint = place.settings.dynamodb_endpoint.clone().unwrap();
    let target = "x-amz-target: DynamoDB_20120810.ListTables\r\n";
    let answer = crate::rights::bare_request(&endpoint, "POST", "/", target).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("MissingAuthenticationToken"), "{answer}");
    assert!(crate::rights::bare_request(&endpoint, "GET", "/healthz", "").await.starts_with("HTTP/1.1 200"));
    place.clean().await;
}

#[tokio::test]
async fn a_table_that_is_not_there_is_named() {
    let place = Place::any().await;
    let settings = volley_storage::StorageSettings { table: "absent-table".into(), ..place.settings.clone() };
    let results = if place.is_embedded() {
        ResultStore::with_key(&settings, &place.server().root_keys())
    } else {
        ResultStore::connect(&settings).await
    };
    let error = results.get_run("i", &result("u1", "2026-11-25T10:00:00Z", 1).run).await.unwrap_err();
    assert!(error.to_string().contains("table absent-table is not there"), "{error}");
    assert_eq!(error.class(), FailureClass::NeedsChange);
    let conditional = place.results.list_runs(&place.own, "shop", "nothing", 5, None).await.unwrap();
    assert_eq!(conditional.runs.len(), 0);
    place.clean().await;
}

#[tokio::test]
async fn a_conditional_put_has_one_winner() {
    let Some(place) = Place::embedded("a_conditional_put_has_one_winner").await else { return };
    let client = client(&place, &place.server().root_keys());
    let puts = (0..16).map(|writer| {
        let put = client
            .put_item()
            .table_name(place.results.table())
            .item("PK", AttributeValue::S(place.own.clone()))
            .item("SK", AttributeValue::S("once".into()))
            .item("writer", AttributeValue::N(writer.to_string()))
            .condition_expression("attribute_not_exists(PK)");
        put.send()
    });
    let outcomes = futures::future::join_all(puts).await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let codes: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()?.code()).collect();
    assert_eq!((won, codes), (1, vec!["ConditionalCheckFailedException"; 15]));
    place.clean().await;
}
