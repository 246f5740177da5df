//! How many requests a client has made, in the classes in which S3 bills them. Each attempt counts: a repetition costs too.
//!
//! Source: Amazon S3 pricing, "Requests & data retrievals": PUT, COPY, POST and LIST are one class, GET and all others the
//! cheaper one, DELETE is free.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

/// Requests of a client so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// PUT, COPY, POST and LIST.
    pub writes: u64,
    /// GET and HEAD.
    pub reads: u64,
}

/// A class of requests with a price of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Write,
    Read,
    Free,
}

impl Class {
    fn of(method: &str, uri: &str) -> Self {
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        match method {
            "DELETE" => Self::Free,
            "PUT" | "POST" => Self::Write,
            "GET" if query.split('&').any(|part| part.starts_with("list-type=")) => Self::Write,
            _ => Self::Read,
        }
    }
}

/// Counts the requests of a client and its clones.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestCounter {
    writes: Arc<AtomicU64>,
    reads: Arc<AtomicU64>,
}

impl RequestCounter {
    pub(super) fn counts(&self) -> RequestCounts {
        RequestCounts { writes: self.writes.load(Ordering::Relaxed), reads: self.reads.load(Ordering::Relaxed) }
    }

    fn count(&self, class: Class) {
        match class {
            Class::Write => self.writes.fetch_add(1, Ordering::Relaxed),
            Class::Read => self.reads.fetch_add(1, Ordering::Relaxed),
            Class::Free => 0,
        };
    }
}

impl Intercept for RequestCounter {
    fn name(&self) -> &'static str {
        "VolleyRequestCounter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        self.count(Class::of(request.method(), request.uri()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::embedded::Server;
    use crate::objects::PutOptions;

    #[rstest]
    #[case("GET", "http://s:9000/volley/runs/v1/u/control/start.json?x-id=GetObject", Class::Read)]
    #[case("HEAD", "http://s:9000/volley/a", Class::Read)]
    #[case("GET", "https://volley.s3.amazonaws.com/?list-type=2&prefix=runs", Class::Write)]
    #[case("GET", "http://s:9000/volley/list-type=2", Class::Read)]
    #[case("PUT", "http://s:9000/volley/a?x-id=PutObject", Class::Write)]
    #[case("POST", "http://s:9000/volley/a?uploads", Class::Write)]
    #[case("DELETE", "http://s:9000/volley/a", Class::Free)]
    fn a_request_has_the_class_in_which_it_is_billed(#[case] method: &str, #[case] uri: &str, #[case] expected: Class) {
        assert_eq!(Class::of(method, uri), expected);
    }

    #[tokio::test]
    async fn clones_count_together_and_an_absent_object_counts_too() {
        let place = tempfile::tempdir().unwrap();
        let server = Server::start_on_free_ports(place.path()).await.unwrap();
        let objects = server.objects();
        assert_eq!(objects.requests(), RequestCounts::default());
        objects.put("a", "text", PutOptions::default()).await.unwrap();
        assert!(objects.clone().get("a", 10).await.unwrap().is_some());
        assert!(objects.get("b", 10).await.unwrap().is_none());
        objects.list("", None, 10).await.unwrap();
        assert_eq!(objects.requests(), RequestCounts { writes: 2, reads: 2 });
        assert_eq!(server.objects().requests(), RequestCounts::default());
    }
}
