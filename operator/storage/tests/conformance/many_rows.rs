//! Results with very many labels, and a table that does not take all at once.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use volley_storage::documents::{Figures, LabelFigures, RegionFigures, ResultDocument};
use volley_storage::results::{ERROR_ROWS, LABEL_ROWS, Publication, rows_of};
use volley_storage::{KeyPair, ResultStore, StorageSettings, keys};

use crate::place::Place;
use crate::results::{figures, result, summary};

/// DynamoDB's limit of an item, in bytes.
const MAXIMUM_ITEM: usize = 400 * 1024;

/// A result with labels and messages as long as a worker lets them be, and many codes, in five regions.
fn large_result() -> ResultDocument {
    let mut document = result("u1", "2026-11-25T10:00:00Z", 0);
    let targets: Vec<String> = (0..5).map(|number| format!("region-{number}")).collect();
    document.regions =
        targets.iter().map(|target| RegionFigures { target: target.clone(), ..document.regions[0].clone() }).collect();
    let scopes = std::iter::once(None).chain(targets.into_iter().map(Some));
    document.labels = scopes
        .flat_map(|target| (0..2_000_u64).map(move |number| (target.clone(), number)))
        .map(|(target, number)| LabelFigures {
            target,
            // 1,024 bytes: the bound of a worker.
            label: format!("{number:04}{}", "é".repeat(510)),
            transaction: false,
            lower_bound: false,
            figures: Figures {
                codes: (0..50_u64).map(|code| (format!("{code:03}{}", "x".repeat(61)), code)).collect(),
                ..figures(10_000 + number, number % 700)
            },
        })
        .collect();
    let group = document.errors[0].clone();
    document.errors = (0..700)
        .map(|count| volley_storage::documents::ErrorGroup {
            message: format!("{count} {}", "\u{7}".repeat(508)),
            count,
            ..group.clone()
        })
        .collect();
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_labels_in_five_regions_are_written_and_read_back() {
    let place = Place::any().await;
    let document = large_result();
    let rows = rows_of(&document);
    assert_eq!((rows.labels.len(), rows.errors.len()), (6 * LABEL_ROWS, ERROR_ROWS));
    let largest = rows.labels.iter().map(|row| serde_json::to_vec(row).unwrap().len()).max().unwrap();
    assert!(largest < MAXIMUM_ITEM / 50, "{largest} bytes");
    let written = place.results.write_run(&place.own, &summary(&document), &rows).await.unwrap();
    assert_eq!(written, Publication::Written);
    assert_eq!(place.results.get_rows(&place.own, "u1").await.unwrap(), rows);
    let again = place.results.write_run(&place.own, &summary(&document), &rows).await.unwrap();
    assert_eq!(again, Publication::Repeated);

    // All of them are in the object.
    let key = place.key(&keys::result("u1"));
    place.objects.put_document(&key, &document).await.unwrap();
    let (read, _) = place.objects.get_document::<ResultDocument>(&key).await.unwrap().unwrap();
    assert!(read == document);
    place.clean().await;
}

/// A table that takes half of each batch and answers nothing to every question.
#[derive(Clone, Default)]
struct Throttled {
    taken: Arc<Mutex<BTreeMap<String, u32>>>,
    batches: Arc<Mutex<u32>>,
}

impl Throttled {
    fn answer(&self, operation: &str, body: &Value) -> Value {
        match operation {
            "BatchWriteItem" => self.take_half(body),
            "Query" => json!({"Items": [], "Count": 0}),
            _ => json!({}),
        }
    }

    fn take_half(&self, body: &Value) -> Value {
        *self.batches.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let (table, items) = body["RequestItems"].as_object().unwrap().iter().next().unwrap();
        let items = items.as_array().unwrap();
        let (taken, left) = items.split_at(items.len().div_ceil(2));
        let mut known = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for item in taken {
            *known.entry(item["PutRequest"]["Item"]["SK"]["S"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        if left.is_empty() {
            json!({"UnprocessedItems": {}})
        } else {
            json!({"UnprocessedItems": {table.as_str(): left}})
        }
    }

    async fn serve(self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let table = self.clone();
                let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
                    let table = table.clone();
                    async move {
                        let target = request.headers()["x-amz-target"].to_str().unwrap().to_owned();
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let answer =
                            table.answer(target.rsplit('.').next().unwrap(), &serde_json::from_slice(&body).unwrap());
                        let answer = Full::new(Bytes::from(answer.to_string()));
                        Ok::<_, Infallible>(
                            http::Response::builder()
                                .header("content-type", "application/x-amz-json-1.0")
                                .body(answer)
                                .unwrap(),
                        )
                    }
                });
                tokio::spawn(async move {
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        format!("http://{address}")
    }
}

#[tokio::test]
async fn items_that_the_table_did_not_process_are_sent_again_and_no_other() {
    let table = Throttled::default();
    let settings = StorageSettings {
        bucket: "b".into(),
        s3_endpoint: None,
        dynamodb_endpoint: Some(table.clone().serve().await),
        table: "t".into(),
        region: "us-east-1".into(),
    };
    let keys = KeyPair { access_key: "key".into(), secret_key: "secret".into() };
    let document = result("u1", "2026-11-25T10:00:00Z", 60);
    let rows = rows_of(&document);
    let results = ResultStore::with_key(&settings, &keys);
    assert_eq!(results.write_run("i", &summary(&document), &rows).await.unwrap(), Publication::Written);
    let taken = table.taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(taken.len(), rows.labels.len() + rows.regions.len() + rows.errors.len());
    assert!(taken.values().all(|times| *times == 1), "{taken:?}");
    // 62 items in batches of 25, 25 and 12; each is halved until nothing is left: 5 + 5 + 4 requests.
    assert_eq!(*table.batches.lock().unwrap_or_else(PoisonError::into_inner), 14);
}
