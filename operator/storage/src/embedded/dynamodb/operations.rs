//! Which operations are offered, and how their errors look on the wire.

use dynoxide::{Database, DynoxideError};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// A request that is not answered with a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::embedded) struct Refusal {
    /// HTTP status.
    pub(in crate::embedded) status: StatusCode,
    /// JSON body with `__type` and `message`.
    pub(in crate::embedded) body: String,
}

impl Refusal {
    /// A refusal of the client's request.
    pub(super) fn of(kind: &str, message: &str) -> Self {
        let body = json!({ "__type": format!("com.amazon.coral.service#{kind}"), "message": message }).to_string();
        Self { status: StatusCode::BAD_REQUEST, body }
    }

    /// The operation is not offered.
    pub(super) fn unknown_operation() -> Self {
        Self::of("UnknownOperationException", "the embedded storage does not offer this operation")
    }

    /// The server cannot answer now.
    pub(super) fn stopping() -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, ..Self::of("ServiceUnavailable", "the storage is stopping") }
    }
}

impl From<DynoxideError> for Refusal {
    fn from(error: DynoxideError) -> Self {
        let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, body: error.to_json() }
    }
}

/// Performs an operation; blocks.
pub(super) fn perform(database: &Database, operation: &str, body: &str) -> Result<String, Refusal> {
    match operation {
        "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => call(body, |request| database.batch_write_item(request)),
        "CreateTable" => call(body, |request| database.create_table(request)),
        "DeleteItem" => call(body, |request| database.delete_item(request)),
        "DescribeTable" => call(body, |request| database.describe_table(request)),
        "DescribeTimeToLive" => call(body, |request| database.describe_time_to_live(request)),
        "GetItem" => call(body, |request| database.get_item(request)),
        "ListTables" => call(body, |request| database.list_tables(request)),
        "PutItem" => call(body, |request| database.put_item(request)),
        "Query" => call(body, |request| database.query(request)),
        "Scan" => call(body, |request| database.scan(request)),
        "TransactGetItems" => call(body, |request| database.transact_get_items(request)),
        "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
        "UpdateItem" => call(body, |request| database.update_item(request)),
        "UpdateTable" => call(body, |request| database.update_table(request)),
        "UpdateTimeToLive" => call(body, |request| database.update_time_to_live(request)),
        _ => Err(Refusal::unknown_operation()),
    }
}

fn call<Q: DeserializeOwned, A: Serialize>(
    body: &str,
    perform: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, Refusal> {
    let request =
        serde_json::from_str(body).map_err(|error| Refusal::of("SerializationException", &error.to_string()))?;
    let answer = perform(request)?;
    serde_json::to_string(&answer).map_err(|error| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refusal { status, ..Refusal::of("InternalServerError", &format!("the answer cannot be written: {error}")) }
    })
}
