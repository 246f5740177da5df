//! What the storage's `Date` headers say about the clocks: each answer bounds the offset between the storage's clock and
//! ours by `[Date − received, Date + 1 s − sent]`, because a `Date` header is cut to its second.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use jiff::Timestamp;

/// The `Date` header of one answer between the instants at which its request left and its head arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerDate {
    /// Just before the request was sent, by our clock.
    pub sent: Timestamp,
    /// The storage's clock, cut to the second.
    pub date: Timestamp,
    /// Just after the answer's head arrived, by our clock.
    pub received: Timestamp,
}

#[derive(Debug, Default)]
struct State {
    last: Option<ServerDate>,
}

/// Notes the newest [`ServerDate`] of all requests of a client.
#[derive(Clone, Debug, Default)]
pub(super) struct DateRecorder {
    state: Arc<Mutex<State>>,
}

/// When the attempt in this configuration bag was sent.
#[derive(Clone, Copy, Debug)]
struct SentAt(SystemTime);

impl aws_smithy_types::config_bag::Storable for SentAt {
    type Storer = aws_smithy_types::config_bag::StoreReplace<Self>;
}

impl DateRecorder {
    /// The newest answer with a `Date`.
    pub(super) fn last(&self) -> Option<ServerDate> {
        self.state.lock().ok()?.last
    }
}

impl Intercept for DateRecorder {
    fn name(&self) -> &'static str {
        "VolleyDateRecorder"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(SentAt(SystemTime::now()));
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let received = SystemTime::now();
        let date = context.response().headers().get("date").and_then(parse_http_date);
        if let (Some(date), Some(sent)) = (date, bag.load::<SentAt>())
            && let (Ok(sent), Ok(received)) = (Timestamp::try_from(sent.0), Timestamp::try_from(received))
            && let Ok(mut state) = self.state.lock()
        {
            state.last = Some(ServerDate { sent, date, received });
        }
        Ok(())
    }
}

/// An HTTP date of RFC 9110, section 5.6.7 (the preferred form, which S3 sends).
fn parse_http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_is_read_to_its_second() {
        let expected: Timestamp = "2026-11-25T16:36:44Z".parse().unwrap();
        assert_eq!(parse_http_date("Wed, 25 Nov 2026 16:36:44 GMT"), Some(expected));
        assert_eq!(parse_http_date("yesterday"), None);
    }
}
