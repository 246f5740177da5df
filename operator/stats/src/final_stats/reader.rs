//! Reading the report as a stream.

use std::borrow::Cow;
use std::io::BufRead;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::{FinalStats, Group};
use crate::percentile::Percentile;

/// The largest report that is read, in bytes. With the folding that Volley forces a report has about 1.2 MB.
pub const MAXIMUM_BYTES: u64 = 64 * 1024 * 1024;

/// Why a report cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FinalStatsError {
    /// It is not well-formed, not UTF-8, or the source failed.
    #[error("Taurus' final-stats report cannot be read at byte {position}: {source}")]
    Xml {
        /// Byte offset.
        position: u64,
        /// What is wrong.
        #[source]
        source: quick_xml::Error,
    },
    /// It ends before its last element is closed.
    #[error("Taurus' final-stats report ends early, after {labels} labels; Taurus was killed while writing it")]
    Truncated {
        /// Groups that were complete.
        labels: usize,
    },
    /// It is another document.
    #[error("document is <{root}> instead of <FinalStatus>; it is no final-stats report")]
    OtherDocument {
        /// Name of the first element, at most 100 characters.
        root: String,
    },
    /// It is longer than any report that Volley makes Taurus write.
    #[error("Taurus' final-stats report is longer than {MAXIMUM_BYTES} bytes")]
    TooLarge,
    /// A group lacks an element or attribute.
    #[error("Taurus' final-stats report: label '{label}' has no {missing}")]
    Missing {
        /// The label.
        label: String,
        /// What is missing.
        missing: &'static str,
    },
    /// A value is not of its kind.
    #[error("Taurus' final-stats report: label '{label}' has <{element}> '{value}', which is no {expected}")]
    Value {
        /// The label.
        label: String,
        /// Name of the element.
        element: String,
        /// The value, at most 100 characters.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A label has two groups.
    #[error("Taurus' final-stats report: label '{label}' occurs twice")]
    Twice {
        /// The label.
        label: String,
    },
}

/// Reads a report. Elements that are not known are skipped.
///
/// # Errors
/// [`FinalStatsError`]: not well-formed, cut off, another document, above [`MAXIMUM_BYTES`], or values that are no numbers.
pub fn read(source: impl BufRead) -> Result<FinalStats, FinalStatsError> {
    let mut reader = quick_xml::Reader::from_reader(source.take(MAXIMUM_BYTES + 1));
    // Self-closed elements then look like all others.
    reader.config_mut().expand_empty_elements = true;
    let mut report = FinalStats::default();
    let mut group: Option<OpenGroup> = None;
    let mut depth = 0_usize;
    let mut buffer = Vec::new();
    loop {
        let outcome = reader.read_event_into(&mut buffer);
        if reader.buffer_position() > MAXIMUM_BYTES {
            return Err(FinalStatsError::TooLarge);
        }
        let labels = report.labels.len() + usize::from(report.total.is_some());
        let event = outcome.map_err(|source| match source {
            // The reader reports an end within a tag or comment as a syntax error.
            quick_xml::Error::Syntax(_)
            | quick_xml::Error::IllFormed(quick_xml::errors::IllFormedError::MissingEndTag(_)) => {
                FinalStatsError::Truncated { labels }
            }
            source => FinalStatsError::Xml { position: reader.error_position(), source },
        })?;
        match event {
            Event::Start(element) => {
                depth += 1;
                match (depth, element.name().as_ref()) {
                    (1, "FinalStatus") => {}
                    (1, root) => return Err(FinalStatsError::OtherDocument { root: excerpt(root) }),
                    (2, "Group") => group = Some(OpenGroup::new(&element)?),
                    (3, name) => {
                        if let Some(group) = &mut group {
                            group.take(name, &element)?;
                        }
                    }
                    _ => {}
                }
            }
            Event::End(_) => {
                if depth == 2
                    && let Some(group) = group.take()
                {
                    group.close(&mut report)?;
                }
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok(report);
                }
            }
            Event::Eof => return Err(FinalStatsError::Truncated { labels }),
            _ => {}
        }
        buffer.clear();
    }
}

/// A group whose end was not yet seen.
struct OpenGroup {
    label: String,
    count: Option<u64>,
    successes: Option<u64>,
    failures: Option<u64>,
    group: Group,
}

impl OpenGroup {
    fn new(element: &BytesStart<'_>) -> Result<Self, FinalStatsError> {
        let label = attribute("", element, "label")?
            .ok_or(FinalStatsError::Missing { label: String::new(), missing: "attribute 'label'" })?
            .into_owned();
        Ok(Self { label, count: None, successes: None, failures: None, group: Group::default() })
    }

    fn take(&mut self, name: &str, element: &BytesStart<'_>) -> Result<(), FinalStatsError> {
        let label = &self.label;
        if !matches!(
            name,
            "throughput" | "succ" | "fail" | "concurrency" | "avg_rt" | "avg_lt" | "avg_ct" | "bytes" | "rc" | "perc"
        ) {
            return Ok(());
        }
        let missing = |missing| FinalStatsError::Missing { label: label.clone(), missing };
        let value = attribute(label, element, "value")?.ok_or_else(|| missing("attribute 'value' in a figure"))?;
        let wrong = |value: &str, expected| FinalStatsError::Value {
            label: label.clone(),
            element: name.to_owned(),
            value: excerpt(value),
            expected,
        };
        let count = || whole(&value).ok_or_else(|| wrong(&value, "count"));
        let time = || microseconds(&value).ok_or_else(|| wrong(&value, "time in seconds"));
        let group = &mut self.group;
        match name {
            "throughput" => self.count = Some(count()?),
            "succ" => self.successes = Some(count()?),
            "fail" => self.failures = Some(count()?),
            "concurrency" => group.users = Some(count()?),
            "avg_rt" => group.average_us = Some(time()?),
            "avg_lt" => group.first_byte_us = Some(time()?),
            "avg_ct" => group.connect_us = Some(time()?),
            "bytes" => group.bytes = Some(count()?),
            _ => {
                let param = attribute(label, element, "param")?
                    .ok_or_else(|| missing("attribute 'param' in a response code or percentile"))?;
                if name == "rc" {
                    group.codes.insert(param.into_owned(), count()?);
                } else {
                    let percentile =
                        Percentile::from_percent(&param).map_err(|_| wrong(&param, "percentile from 0 to 100"))?;
                    group.percentiles.insert(percentile, time()?);
                }
            }
        }
        Ok(())
    }

    fn close(self, report: &mut FinalStats) -> Result<(), FinalStatsError> {
        let Self { label, count, successes, failures, group } = self;
        let missing = |missing| FinalStatsError::Missing { label: label.clone(), missing };
        let group = Group {
            count: count.ok_or_else(|| missing("<throughput>"))?,
            successes: successes.ok_or_else(|| missing("<succ>"))?,
            failures: failures.ok_or_else(|| missing("<fail>"))?,
            ..group
        };
        let before =
            if label.is_empty() { report.total.replace(group) } else { report.labels.insert(label.clone(), group) };
        if before.is_some() { Err(FinalStatsError::Twice { label }) } else { Ok(()) }
    }
}

fn attribute<'a>(
    label: &str,
    element: &'a BytesStart<'_>,
    name: &str,
) -> Result<Option<Cow<'a, str>>, FinalStatsError> {
    let wrong = |value: &str| FinalStatsError::Value {
        label: label.to_owned(),
        element: element.name().as_ref().to_owned(),
        value: excerpt(value),
        expected: "well-formed element",
    };
    let Some(attribute) = element.try_get_attribute(name).map_err(|_| wrong(element.attributes_raw()))? else {
        return Ok(None);
    };
    let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| wrong(element.attributes_raw()))?;
    Ok(Some(value))
}

/// A count, which Taurus writes with a fraction of zeros where it became a floating point number.
fn whole(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let zeros = fraction.bytes().all(|byte| byte == b'0');
    (zeros && digits(whole)).then(|| whole.parse().ok()).flatten()
}

/// A time in seconds as microseconds; digits below are cut.
fn microseconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn excerpt(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: &str = r#"<throughput value="3"/><succ value="2"/><fail value="1"/>"#;

    fn report(group: &str) -> Result<FinalStats, FinalStatsError> {
        read(format!("<FinalStatus>{group}</FinalStatus>").as_bytes())
    }

    #[test]
    fn one_group_without_codes_and_with_unknown_elements_is_read() {
        let report = report(&format!(
            r#"<New value="x"><Group label="no"/></New><Group label="a &lt; &quot;b&quot;&#10;c" more="1">{COUNTS}
               <future value="?"/><avg_rt value="0.02118"><value>9</value></avg_rt><perc param="99.90" value="1"/></Group>"#
        ))
        .unwrap();
        assert_eq!(report.total, None);
        let group = &report.labels["a < \"b\"\nc"];
        assert_eq!((group.count, group.successes, group.failures), (3, 2, 1));
        assert_eq!((group.average_us, group.connect_us), (Some(21_180), None));
        assert_eq!(group.percentiles, [(Percentile::P99_9, 1_000_000)].into());
        assert!(group.codes.is_empty());
    }

    #[test]
    fn a_report_cut_anywhere_is_truncated() {
        let whole = format!(
            r#"<?xml version='1.0' encoding='UTF-8'?><FinalStatus><Group label="a">{COUNTS}</Group></FinalStatus>"#
        );
        for length in 0..whole.len() {
            let error = read(&whole.as_bytes()[..length]).unwrap_err();
            assert!(matches!(error, FinalStatsError::Truncated { .. }), "{length}: {error}");
        }
    }

    #[test]
    fn other_documents_and_wrong_values_are_named() {
        for (group, expected) in [
            (format!("<Group>{COUNTS}</Group>"), "has no attribute 'label'"),
            (r#"<Group label="a"><succ value="2"/></Group>"#.into(), "label 'a' has no <throughput>"),
            (r#"<Group label="a"><fail/></Group>"#.into(), "label 'a' has no attribute 'value'"),
            (r#"<Group label="a"><fail value="many"/></Group>"#.into(), "<fail> 'many', which is no count"),
            (r#"<Group label="a"><fail value="1.5"/></Group>"#.into(), "<fail> '1.5', which is no count"),
            (r#"<Group label="a"><avg_rt value="nan"/></Group>"#.into(), "<avg_rt> 'nan', which is no time"),
            (r#"<Group label="a"><perc param="101" value="1"/></Group>"#.into(), "'101', which is no percentile"),
            (r#"<Group label="a"><rc value="1"/></Group>"#.into(), "no attribute 'param'"),
            (format!(r#"<Group label="a">{COUNTS}</Group><Group label="a">{COUNTS}</Group>"#), "'a' occurs twice"),
            (r#"<Group label="a&unknown;"/>"#.into(), "no well-formed element"),
            ("</Group>".into(), "cannot be read at byte"),
        ] {
            let message = report(&group).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert!(read(&b"<html/>"[..]).unwrap_err().to_string().contains("<html> instead of <FinalStatus>"));
        assert!(read(&b"\xff<FinalStatus/>"[..]).is_err());
    }

    #[test]
    fn a_report_above_the_limit_is_refused() {
        let endless = std::io::BufReader::new(std::io::repeat(b' '));
        let start = std::io::Cursor::new(b"<FinalStatus>");
        assert!(matches!(read(std::io::Read::chain(start, endless)), Err(FinalStatsError::TooLarge)));
    }
}
