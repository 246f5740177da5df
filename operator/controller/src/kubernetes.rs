//! Calls to an API server: each bounded in time, each error naming its object, and the few kinds of write that the operator makes.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use volley_storage::FailureClass;

/// One call. kube has no read timeout since 4.0; a healthy API server answers in milliseconds, and ends its own calls after 60 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Objects of one page of a listing: few, because a page is in memory as a whole, several listings are under way at a time, and the
/// allocator keeps what the largest moment took. A run has some 20 KB, a pod 12 KB, and read they have several times as much.
const PAGE: u32 = 25;
/// Pages of one listing: 10,000 objects are more than any run or test has.
const MAX_PAGES: usize = 400;

/// A call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server answered with an error, or could not be reached.
    #[error("failed to {operation} {object}: {}", with_sources(cause))]
    Call {
        /// What was tried.
        operation: &'static str,
        /// Kind, namespace and name.
        object: String,
        /// What happened.
        cause: Box<kube::Error>,
    },
    /// No answer in time.
    #[error("failed to {operation} {object}: the API server did not answer within {} s", CALL_TIMEOUT.as_secs())]
    Timeout {
        /// What was tried.
        operation: &'static str,
        /// Kind, namespace and name.
        object: String,
    },
    /// More objects than the operator reads.
    #[error("failed to list {object}: there are more than {} of them; delete old ones", MAX_PAGES * PAGE as usize)]
    TooMany {
        /// Kind and namespace.
        object: String,
    },
}

/// What happened: the API server's words with their code, else kube's with whatever they leave out. Of a connection that failed kube says
/// no more than that, and of an answer it shows the whole object.
fn with_sources(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        let words = if status.message.is_empty() { &status.reason } else { &status.message };
        return format!("{words} (HTTP {})", status.code);
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = error.source();
    }
    text
}

impl Error {
    /// The HTTP status of the answer, where there was one.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Call { cause, .. } => match cause.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::Timeout { .. } | Self::TooMany { .. } => None,
        }
    }

    /// The server's own words, where it gave some.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Call { cause, .. } => match cause.as_ref() {
                kube::Error::Api(status) => status.message.clone(),
                other => other.to_string(),
            },
            Self::Timeout { .. } | Self::TooMany { .. } => self.to_string(),
        }
    }

    /// Somebody else wrote first: look again at once.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// What can be done about it.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        match self {
            Self::Timeout { .. } => FailureClass::Transient,
            Self::TooMany { .. } => FailureClass::NeedsChange,
            Self::Call { .. } => match self.code() {
                Some(401 | 403) => FailureClass::NeedsChange,
                Some(400 | 405 | 406 | 415 | 422) => FailureClass::Terminal,
                Some(_) | None => FailureClass::Transient,
            },
        }
    }
}

/// One bounded call.
///
/// # Errors
/// As the server answers, or [`Error::Timeout`].
pub async fn call<T>(
    operation: &'static str,
    object: impl Into<String>,
    future: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(CALL_TIMEOUT, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(cause)) => Err(Error::Call { operation, object: object.into(), cause: Box::new(cause) }),
        Err(_) => Err(Error::Timeout { operation, object: object.into() }),
    }
}

/// Kind, namespace and name, as errors show them.
#[must_use]
pub fn title<K: Resource<DynamicType = ()>>(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{} {namespace}/{name}", K::kind(&())),
        None => format!("{} {name}", K::kind(&())),
    }
}

/// `namespace/name` of an object.
#[must_use]
pub fn qualified_name(metadata: &ObjectMeta) -> String {
    format!("{}/{}", metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

/// Read an object; `None`: there is none.
///
/// # Errors
/// As [`call`].
pub async fn get<K>(api: &Api<K>, name: &str) -> Result<Option<K>, Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    call("read", title::<K>(api.namespace(), name), api.get_opt(name)).await
}

/// All objects that a selector matches, page by page, without their `managedFields`, which nobody reads.
///
/// # Errors
/// As [`call`], and [`Error::TooMany`].
pub async fn list<K>(api: &Api<K>, selector: &str) -> Result<Vec<K>, Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    list_as(api, selector, |mut object| {
        object.meta_mut().managed_fields = None;
        object
    })
    .await
}

/// What is needed of all objects that a selector matches. Only one page of whole objects is in memory.
///
/// # Errors
/// As [`call`], and [`Error::TooMany`].
pub async fn list_as<K, T>(api: &Api<K>, selector: &str, needed: impl Fn(K) -> T) -> Result<Vec<T>, Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let object = format!("{}s of namespace {}", K::kind(&()), api.namespace().unwrap_or("*"));
    let mut parameters = ListParams::default().labels(selector).limit(PAGE);
    let mut items = Vec::new();
    for _ in 0..MAX_PAGES {
        let page = call("list", object.clone(), api.list(&parameters)).await?;
        items.extend(page.items.into_iter().map(&needed));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(items),
        }
    }
    Err(Error::TooMany { object })
}

/// Create an object; `false`: one of that name exists already.
///
/// # Errors
/// As [`call`].
pub async fn create<K>(api: &Api<K>, object: &K) -> Result<bool, Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
{
    let parameters =
        PostParams { field_manager: Some(volley_api::labels::MANAGER.to_owned()), ..PostParams::default() };
    let title = title::<K>(api.namespace(), &object.name_any());
    match call("create", title, api.create(&parameters, object)).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_conflict() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Server-side apply of a whole object of ours.
///
/// # Errors
/// As [`call`].
pub async fn apply<K>(api: &Api<K>, object: &K) -> Result<(), Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
{
    let name = object.name_any();
    let mut body = serde_json::to_value(object).unwrap_or_default();
    body["apiVersion"] = K::api_version(&()).into();
    body["kind"] = K::kind(&()).into();
    let parameters = PatchParams::apply(volley_api::labels::MANAGER).force();
    call("apply", title::<K>(api.namespace(), &name), api.patch(&name, &parameters, &Patch::Apply(body))).await?;
    Ok(())
}

/// Server-side apply of a status by a field manager. `metadata` may hold a uid and a resource version that must match; another
/// one is a conflict.
///
/// # Errors
/// As [`call`].
pub async fn apply_status<K>(
    api: &Api<K>,
    name: &str,
    manager: &str,
    metadata: Value,
    status: Value,
) -> Result<(), Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let mut body = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": metadata,
        "status": status,
    });
    body["metadata"]["name"] = name.into();
    let parameters = PatchParams::apply(manager).force();
    let title = title::<K>(api.namespace(), name);
    call("write the status of", title, api.patch_status(name, &parameters, &Patch::Apply(body))).await?;
    Ok(())
}

/// What to write where a status changed; `None` where it did not. Compared is what would be written: Kubernetes' times have no
/// fractions, so two statuses that differ in memory may be the same there, and writing one again would never end.
#[must_use]
pub fn changed<S: Serialize>(before: &S, after: &S) -> Option<Value> {
    let written = |status: &S| serde_json::to_value(status).unwrap_or_default();
    let after = written(after);
    (written(before) != after).then_some(after)
}

/// JSON merge patch of an object.
///
/// # Errors
/// As [`call`].
pub async fn merge<K>(api: &Api<K>, name: &str, patch: Value) -> Result<(), Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let parameters =
        PatchParams { field_manager: Some(volley_api::labels::MANAGER.to_owned()), ..PatchParams::default() };
    call("patch", title::<K>(api.namespace(), name), api.patch(name, &parameters, &Patch::Merge(patch))).await?;
    Ok(())
}

/// Delete an object of a uid once what it owns is gone: as long as a Job is there, its pods may be. That it is gone already is
/// success.
///
/// # Errors
/// As [`call`].
pub async fn delete<K>(api: &Api<K>, name: &str, uid: &str) -> Result<(), Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let parameters = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    match call("delete", title::<K>(api.namespace(), name), api.delete(name, &parameters)).await {
        Ok(_) => Ok(()),
        // 404: gone; 409: another object has that name by now.
        Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_object_and_tells_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("client error (Connect)")]
        struct Connect(#[source] std::io::Error);
        let cause = kube::Error::Service(Box::new(Connect(std::io::Error::other("invalid peer certificate"))));
        let error = Error::Call { operation: "read", object: "Job a/b".to_owned(), cause: Box::new(cause) };
        assert_eq!(
            error.to_string(),
            "failed to read Job a/b: ServiceError: client error (Connect): invalid peer certificate"
        );
    }

    #[test]
    fn an_answer_is_told_by_the_servers_words_and_its_code() {
        let status = kube::core::Status::failure("Unauthorized", "Unauthorized").with_code(401);
        let cause = Box::new(kube::Error::Api(Box::new(status)));
        let error = Error::Call { operation: "read", object: "Job a/b".to_owned(), cause };
        assert_eq!(error.to_string(), "failed to read Job a/b: Unauthorized (HTTP 401)");
    }
}
