//! Failed requests that are the generator's own and say nothing about the target.

use crate::histogram::add_counts;
use crate::statistics::ErrorGroups;

/// Simple names of Java's exceptions that only the generator's own machine can cause: no local port or address to send from, no memory.
///
/// Source: the documentation of `java.net.BindException` and `java.lang.OutOfMemoryError` (Java SE 17).
const OWN_CODES: [&str; 2] = ["BindException", "OutOfMemoryError"];

/// What operating system, Java, Go and Python say where the generator has run out of ports, descriptors, threads or memory.
/// In lower case.
///
/// Source: the messages of `EADDRNOTAVAIL`, `EMFILE`, `ENFILE`, `ENOBUFS` and `ENOMEM` in glibc and in Go's `syscall` (Linux);
/// `unable to create native thread` of the `OutOfMemoryError` of the Java virtual machine, `can't start new thread` of Python's `threading`.
const OWN_WORDS: [&str; 9] = [
    "cannot assign requested address",
    "too many open files",
    "no buffer space available",
    "cannot allocate memory",
    "unable to create native thread",
    "unable to create new native thread",
    "outofmemoryerror",
    "can't start new thread",
    "java.net.bindexception",
];

/// Python's way to write an error number of the operating system: what a failure of Locust has, which Taurus gives the code 500.
const ERROR_NUMBER: &str = "[errno ";

/// Whether a failed request with this code and message failed in the generator itself.
///
/// The words of a response with a status are the target's: a target that says `too many open files` has run out itself. Only where
/// Python's error number stands before them they are the generator's in spite of a status, because Taurus gives the failures of Locust one.
#[must_use]
pub fn is_own(code: &str, message: &str) -> bool {
    if OWN_CODES.contains(&code) {
        return true;
    }
    let message = message.to_ascii_lowercase();
    let is_status = code.len() == 3 && code.parse::<u16>().is_ok_and(|status| (100..600).contains(&status));
    let words =
        if is_status { message.find(ERROR_NUMBER).and_then(|at| message.get(at..)) } else { Some(message.as_str()) };
    words.is_some_and(|words| OWN_WORDS.iter().any(|own| words.contains(own)))
}

/// The failed requests of a generator that are its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnErrors {
    /// How many. Those whose message was not kept apart are not among them.
    pub count: u64,
    /// Code and message of the most frequent ones.
    pub example: Option<(Box<str>, Box<str>)>,
}

impl OwnErrors {
    /// Those among some groups of errors.
    #[must_use]
    pub fn of(groups: &ErrorGroups) -> Self {
        let mut own = Self::default();
        let mut most = 0;
        for (key, count) in groups.iter().filter(|(key, _)| is_own(&key.code, &key.message)) {
            own.count = add_counts(own.count, count);
            if count > most {
                most = count;
                own.example = Some((key.code.clone(), key.message.clone()));
            }
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::ErrorKey;

    #[test]
    fn what_the_engines_say_of_their_own_machine_is_their_own() {
        for (code, message) in [
            // JMeter, Apache HttpClient.
            ("BindException", "Cannot assign requested address"),
            ("NoRouteToHostException", "Cannot assign requested address (Address not available)"),
            ("SocketException", "Too many open files"),
            ("OutOfMemoryError", "Java heap space"),
            (
                "OutOfMemoryError",
                "unable to create native thread: possibly out of memory or process/resource limits reached",
            ),
            // k6.
            ("1210", "dial: cannot assign requested address"),
            ("1000", "dial tcp 10.0.0.7:443: connect: cannot assign requested address"),
            ("1210", "dial tcp: lookup shop: socket: too many open files"),
            // Locust through Taurus, which says 500.
            (
                "500",
                "ConnectionError(MaxRetryError(\"... Failed to establish a new connection: [Errno 99] Cannot assign requested address'\"))",
            ),
            ("500", "OSError(24, '[Errno 24] Too many open files')"),
            ("ClientConnectorError", "Cannot connect to host shop:80 ssl:default [Too many open files]"),
            ("RuntimeError", "can't start new thread"),
        ] {
            assert!(is_own(code, message), "{code} {message}");
        }
    }

    #[test]
    fn what_the_target_says_or_does_is_not() {
        for (code, message) in [
            ("500", "Internal Server Error"),
            ("503", "accept: too many open files"),
            ("500", "java.lang.OutOfMemoryError: Java heap space"),
            ("HttpHostConnectException", "Connect to shop:443 failed: Connection refused"),
            ("SocketTimeoutException", "Read timed out"),
            ("1212", "dial: connection refused"),
            ("500", "ConnectionRefusedError(111, '[Errno 111] Connection refused')"),
            ("", ""),
        ] {
            assert!(!is_own(code, message), "{code} {message}");
        }
    }

    #[test]
    fn own_errors_are_counted_over_all_labels_with_the_most_frequent_as_example() {
        let mut groups = ErrorGroups::default();
        for (label, code, message, count) in [
            ("a", "BindException", "Cannot assign requested address", 3),
            ("b", "SocketException", "Too many open files", 5),
            ("b", "503", "Service Unavailable", 100),
        ] {
            groups.add(ErrorKey { label: label.into(), code: code.into(), message: message.into() }, count);
        }
        let own = OwnErrors::of(&groups);
        assert_eq!(
            own,
            OwnErrors { count: 8, example: Some(("SocketException".into(), "Too many open files".into())) }
        );
        assert_eq!(OwnErrors::of(&ErrorGroups::default()), OwnErrors::default());
    }
}
