//! Which samples were cut off by the end of the run.

use crate::samples::{Sample, SampleKind};

/// Codes (simple exception names) of requests whose connection or thread was taken away from them.
///
/// Source: what JMeter's HTTP sampler reports when `StopTestNow` interrupts a thread and aborts its request, for the
/// Apache `HttpClient` and the Java implementation.
const CUT_OFF_CODES: [&str; 6] = [
    "InterruptedException",
    "InterruptedIOException",
    "ClosedByInterruptException",
    "ClosedChannelException",
    "AsynchronousCloseException",
    "RequestAbortedException",
];

/// Codes that also have other causes, with the words that say it was a closed connection on our side.
const CUT_OFF_WORDS: [(&str, &[&str]); 4] = [
    ("SocketException", &["socket closed", "socket is closed", "closed by interrupt"]),
    ("SSLException", &["socket closed", "socket is closed", "connection has been shutdown"]),
    ("IllegalStateException", &["connection pool shut down"]),
    ("ConnectionShutdownException", &[""]),
];

/// Whether the stop of the run cut this sample off, so that it is neither a success nor an error.
///
/// `stop_us` is the instant at which the worker asked the engine to stop, in microseconds since 1970-01-01 UTC.
/// Without a stop nothing was cut off. A failed request was, if it started before or at that instant or later but ended
/// at or after it, and its code and message say that its own side closed the connection. A refused connection, a
/// time-out or a status code of the target stays an error. A failed transaction that ends after the stop was cut off:
/// it ended before its last request, whatever that one says.
#[must_use]
pub fn was_interrupted(sample: &Sample<'_>, stop_us: Option<i64>) -> bool {
    let Some(stop_us) = stop_us else { return false };
    if sample.success || sample.end_us < stop_us {
        return false;
    }
    match sample.kind {
        SampleKind::Transaction => true,
        SampleKind::Request => {
            CUT_OFF_CODES.contains(&sample.code)
                || CUT_OFF_WORDS.iter().any(|(code, words)| {
                    *code == sample.code && {
                        let message = sample.message.to_ascii_lowercase();
                        words.iter().any(|words| message.contains(words))
                    }
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure<'a>(code: &'a str, message: &'a str) -> Sample<'a> {
        Sample {
            kind: SampleKind::Request,
            label: "checkout",
            start_us: 4_000_000,
            end_us: 10_000_000,
            elapsed_us: 6_000_000,
            first_byte_us: None,
            connect_us: None,
            bytes: None,
            code,
            message,
            success: false,
            active_users: None,
        }
    }

    #[test]
    fn a_socket_closed_after_the_stop_was_cut_off() {
        let sample = failure("SocketException", "Socket closed");
        assert!(was_interrupted(&sample, Some(10_000_000)));
        assert!(!was_interrupted(&sample, Some(10_000_001)), "it had ended before the stop");
        assert!(!was_interrupted(&sample, None), "there was no stop");
    }

    #[test]
    fn failures_of_the_target_stay_errors_after_the_stop() {
        for (code, message) in [
            ("SocketException", "Connection reset"),
            ("SocketTimeoutException", "Read timed out"),
            ("HttpHostConnectException", "Connect to shop:443 failed: Connection refused"),
            ("500", "Socket closed"),
            ("IllegalStateException", "bad argument"),
        ] {
            assert!(!was_interrupted(&failure(code, message), Some(5_000_000)), "{code} {message}");
        }
    }

    #[test]
    fn a_success_after_the_stop_is_a_success() {
        let sample = Sample { success: true, ..failure("SocketException", "Socket closed") };
        assert!(!was_interrupted(&sample, Some(5_000_000)));
    }

    #[test]
    fn a_failed_transaction_after_the_stop_was_cut_off() {
        let message = "Number of samples in transaction : 2, number of failing samples : 1";
        let sample = Sample { kind: SampleKind::Transaction, ..failure("", message) };
        assert!(was_interrupted(&sample, Some(5_000_000)));
        assert!(!was_interrupted(&sample, Some(11_000_000)));
    }
}
