//! Reading a report in one pass over its bytes.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::errors::SyntaxError;
use quick_xml::events::{BytesStart, Event};

use super::group::{OpenGroup, microseconds};
use super::oddity::excerpt;
use super::{FinalStats, Oddity};

/// The largest report that is read, in bytes. With the folding that Volley forces a report has about 1.2 MB.
pub const MAXIMUM_BYTES: u64 = 64 * 1024 * 1024;

/// How far the end of a figure is looked for. Taurus needs some 80 bytes and the length of a response code.
const FIGURE_BYTES: usize = 1024;

/// Why a report cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FinalStatsError {
    /// It is not well-formed or not UTF-8.
    #[error("Taurus' final-stats report cannot be read at byte {position}: {source}")]
    Xml {
        /// Byte offset.
        position: u64,
        /// What is wrong.
        #[source]
        source: quick_xml::Error,
    },
    /// It holds nothing.
    #[error("Taurus' final-stats report is empty; Taurus was killed before it wrote it")]
    Empty,
    /// It ends before its last element is closed.
    #[error("Taurus' final-stats report ends early, after {groups} groups; Taurus was killed while writing it")]
    Truncated {
        /// Groups that were complete, the one of all labels included.
        groups: usize,
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
}

/// Reads a report. Elements that are not known are skipped; what makes no sense is skipped and noted in
/// [`FinalStats::oddities`].
///
/// Memory beyond the bytes themselves is that of the [`FinalStats`]: nothing else of the document is kept.
///
/// # Errors
/// [`FinalStatsError`]: empty, not well-formed, cut off, another document, or above [`MAXIMUM_BYTES`].
pub fn read(report: &[u8]) -> Result<FinalStats, FinalStatsError> {
    if report.len() as u64 > MAXIMUM_BYTES {
        return Err(FinalStatsError::TooLarge);
    }
    if report.trim_ascii().is_empty() {
        return Err(FinalStatsError::Empty);
    }
    let mut reader = Reader::from_reader(report);
    let mut document = OpenDocument::default();
    loop {
        // Matched in place: to move each event out of its result first costs a fifth of the whole.
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                document.open(&element)?;
                if document.is_in_figure() {
                    skip_content(&mut reader, &element);
                }
            }
            Ok(Event::End(_)) => document.close(),
            Ok(Event::Text(text)) => document.text(&text),
            Ok(Event::Empty(element)) => {
                document.open(&element)?;
                document.close();
            }
            Ok(Event::Eof) => return Err(document.truncated()),
            Ok(
                Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_),
            ) => {}
            Err(quick_xml::Error::Syntax(missing)) if ends_within(report, reader.error_position(), missing) => {
                return Err(document.truncated());
            }
            Err(source) => return Err(FinalStatsError::Xml { position: reader.error_position(), source }),
        }
        if document.depth == 0 && document.begun {
            let end = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let rest = report.get(end..).unwrap_or_default().trim_ascii();
            if !rest.is_empty() {
                document.report.oddities.add(Oddity::Trailing { bytes: rest.len() as u64 });
            }
            return Ok(document.report);
        }
    }
}

/// Whether a syntax error at a position only says that the report ends within a tag, a comment or the like.
fn ends_within(report: &[u8], position: u64, missing: SyntaxError) -> bool {
    match missing {
        SyntaxError::InvalidBangMarkup => {
            let rest = usize::try_from(position).ok().and_then(|position| report.get(position..)).unwrap_or_default();
            rest.len() <= "<!".len()
        }
        _ => true,
    }
}

/// Goes to the end tag of a figure. Its content says the same as its attributes, in another form, and is three quarters
/// of a report. Where the content is not as Taurus writes it, nothing is skipped, and the reader goes through it.
fn skip_content(reader: &mut Reader<&[u8]>, figure: &BytesStart<'_>) {
    let mut stream = reader.stream();
    if let Ok(rest) = stream.fill_buf()
        && let Some(length) = content_length(rest, figure.name().as_ref().as_bytes())
    {
        stream.consume(length);
    }
}

/// Bytes to the end tag of an element; nothing where it is not near, or something before it needs a parser.
fn content_length(rest: &[u8], name: &[u8]) -> Option<usize> {
    let near = rest.get(..FIGURE_BYTES).unwrap_or(rest);
    for position in memchr::memchr_iter(b'<', near) {
        let tag = near.get(position + 1..)?;
        if let Some(closed) = tag.strip_prefix(b"/") {
            if closed.strip_prefix(name).is_some_and(|behind| behind.starts_with(b">")) {
                return Some(position);
            }
        } else if tag.starts_with(name) || tag.starts_with(b"!") || tag.starts_with(b"?") {
            return None;
        }
    }
    None
}

/// A document whose end was not yet seen.
#[derive(Default)]
struct OpenDocument {
    report: FinalStats,
    /// Elements that are open.
    depth: usize,
    begun: bool,
    group: Option<OpenGroup>,
    /// Whether the element that was opened last is the duration, and still open.
    in_duration: bool,
}

impl OpenDocument {
    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), FinalStatsError> {
        self.depth += 1;
        match self.depth {
            1 => {
                self.begun = true;
                let root = element.name();
                if root.as_ref() != "FinalStatus" {
                    return Err(FinalStatsError::OtherDocument { root: excerpt(root.as_ref()) });
                }
            }
            2 => match element.name().as_ref() {
                "Group" => self.group = OpenGroup::new(element, &mut self.report.oddities),
                "TestDuration" => self.in_duration = true,
                _ => {}
            },
            3 => {
                if let Some(group) = &mut self.group {
                    group.take(element, &mut self.report.oddities);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn is_in_figure(&self) -> bool {
        self.depth == 3 && self.group.is_some()
    }

    fn text(&mut self, text: &str) {
        if self.in_duration && self.depth == 2 {
            match microseconds(text.trim()) {
                Some(duration_us) => self.report.duration_us = Some(duration_us),
                None => self.report.oddities.add(Oddity::Duration { found: excerpt(text) }),
            }
        }
    }

    fn close(&mut self) {
        if self.depth == 2 {
            self.in_duration = false;
            if let Some(group) = self.group.take() {
                group.close(&mut self.report);
            }
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn truncated(&self) -> FinalStatsError {
        FinalStatsError::Truncated { groups: self.report.labels.len() + usize::from(self.report.total.is_some()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::percentile::Percentile;

    const COUNTS: &str = r#"<throughput value="3"/><succ value="2"/><fail value="1"/>"#;

    fn report(groups: &str) -> FinalStats {
        read(format!("<FinalStatus>{groups}</FinalStatus>").as_bytes()).unwrap()
    }

    #[test]
    fn one_group_without_codes_and_with_unknown_elements_is_read() {
        let report = report(&format!(
            r#"<New value="x"><Group label="no"/></New><Group label="a &lt; &quot;b&quot;&#10;c" more="1">{COUNTS}
               <future value="?"/><avg_rt value="0.02118"><value>9</value></avg_rt><perc param="99.90" value="1"/></Group>"#
        ));
        assert_eq!((report.total, report.duration_us, report.oddities.count()), (None, None, 0));
        let group = &report.labels["a < \"b\"\nc"];
        assert_eq!((group.count, group.successes, group.failures), (3, 2, 1));
        assert_eq!((group.average_us, group.connect_us, group.bytes), (Some(21_180), None, None));
        assert_eq!(group.percentiles, [(Percentile::P99_9, 1_000_000)].into());
        assert!(group.codes.is_empty());
    }

    #[test]
    fn a_report_without_any_group_is_empty_but_a_report() {
        assert_eq!(report(""), FinalStats::default());
        assert_eq!(read(b"<FinalStatus/>").unwrap(), FinalStats::default());
    }

    #[test]
    fn a_report_cut_anywhere_is_truncated() {
        let whole = format!(
            r#"<?xml version='1.0' encoding='UTF-8'?><FinalStatus><Group label="a">{COUNTS}<avg_rt value="1"><name>avg_rt</name><value>1</value></avg_rt></Group></FinalStatus>"#
        );
        assert!(matches!(read(b" \n\t"), Err(FinalStatsError::Empty)));
        assert!(matches!(read(b""), Err(FinalStatsError::Empty)));
        for length in 1..whole.len() {
            let error = read(&whole.as_bytes()[..length]).unwrap_err();
            assert!(matches!(error, FinalStatsError::Truncated { .. }), "{length}: {error}");
        }
    }

    #[test]
    fn what_makes_no_sense_costs_only_itself_and_is_named() {
        let good = format!(r#"<Group label="good">{COUNTS}</Group>"#);
        let odd = |figure: &str| format!(r#"<Group label="a">{COUNTS}{figure}</Group>"#);
        for (group, left_out, expected) in [
            (format!("<Group>{COUNTS}</Group>"), 1, "a <Group> without a readable label is left out: <Group>"),
            (r#"<Group label="a&unknown;"/>"#.into(), 1, "readable label is left out: <Group label=\"a&unknown;\">"),
            ("<Group label=\"a&#0;\"/>".into(), 1, "readable label is left out"),
            (r#"<Group label="a"><succ value="2"/></Group>"#.into(), 1, "it has no usable <throughput>"),
            (r#"<Group label="a"><throughput value="2"/></Group>"#.into(), 1, "has no usable <succ>"),
            (r#"<Group label="a"><throughput value="2"/><succ value="2"/></Group>"#.into(), 1, "has no usable <fail>"),
            (good.clone(), 1, "label 'good' occurs twice; the second group is left out"),
            (odd("<bytes/>"), 0, "'a': <bytes> is left out: 'bytes' is no element with the attribute 'value'"),
            (odd(r#"<bytes value="many"/>"#), 0, "<bytes> is left out: 'many' is no number of bytes"),
            (odd(r#"<bytes value="-1"/>"#), 0, "<bytes> is left out: '-1' is no number of bytes"),
            (odd(r#"<bytes value="99999999999999999999"/>"#), 0, "is no number of bytes"),
            (odd(r#"<concurrency value="1.5"/>"#), 0, "<concurrency> is left out: '1.5' is no count"),
            (odd(r#"<avg_rt value="nan"/>"#), 0, "<avg_rt> is left out: 'nan' is no time in seconds"),
            (odd(r#"<avg_rt value="1"x/>"#), 0, "is no element with the attribute 'value'"),
            (odd(r#"<perc param="101" value="1"/>"#), 0, "<perc> is left out: '101' is no percentile from 0 to 100"),
            (odd(r#"<perc param="50.0" value="1e3"/>"#), 0, "<perc> is left out: '1e3' is no time in seconds"),
            (odd(r#"<rc value="1"/>"#), 0, "is no element with the attribute 'param'"),
            (odd(r#"<fail value="2"/>"#), 0, "label 'a': 2 successes and 2 failures are not 3 samples"),
            (
                odd(r#"<avg_rt value="0"/><perc param="0" value="1"/><perc param="100" value="2"/>"#),
                0,
                "'a': <avg_rt> is left out: 0 µs is not between 1000000 µs and 2000000 µs",
            ),
            ("<TestDuration>long</TestDuration>".into(), 0, "<TestDuration> is left out: 'long' is no time in seconds"),
        ] {
            let report = report(&format!("{good}{group}"));
            assert_eq!(report.labels["good"].count, 3, "{group}");
            assert_eq!((report.oddities.count(), report.oddities.groups_left_out()), (1, left_out), "{group}");
            assert_eq!(report.labels.contains_key("a"), group.contains("\"a\"") && left_out == 0, "{group}");
            let message = report.oddities.first()[0].to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn oddities_beyond_the_bound_are_only_counted() {
        let report = report(&"<Group/>".repeat(30));
        assert_eq!((report.oddities.count(), report.oddities.first().len()), (30, super::super::MAXIMUM_ODDITIES));
    }

    #[test]
    fn control_characters_are_read_where_xml_can_hold_them() {
        // Taurus cannot write others: lxml refuses them.
        let report = report(&format!("<Group label=\"a&#9;b&#xD;\u{1}\u{7f}\">{COUNTS}</Group>"));
        assert_eq!(report.labels.keys().collect::<Vec<_>>(), ["a\tb\r\u{1}\u{7f}"]);
    }

    #[test]
    fn what_is_no_report_is_an_error() {
        for (document, expected) in [
            ("<html/>", "<html> instead of <FinalStatus>"),
            ("<FinalStatus></Group></FinalStatus>", "cannot be read at byte 13: "),
            ("<FinalStatus><Group label=\"a\"><a></b></Group></FinalStatus>", "cannot be read at byte 33: "),
            ("<FinalStatus><!x></FinalStatus>", "cannot be read at byte 13: "),
            ("timeStamp,elapsed,label\n1,2,a\n", "ends early, after 0 groups"),
        ] {
            let message = read(document.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(expected), "{document}: {message}");
        }
        assert!(matches!(read(b"<FinalStatus>\xff</FinalStatus>"), Err(FinalStatsError::Xml { .. })));
        let long = usize::try_from(MAXIMUM_BYTES).unwrap() + 1;
        assert!(matches!(read(&vec![b' '; long]), Err(FinalStatsError::TooLarge)));
    }

    #[test]
    fn what_follows_the_report_is_noted() {
        let report = read(b"<FinalStatus></FinalStatus>\n<FinalStatus/>\n").unwrap();
        assert_eq!(report.oddities.first(), [Oddity::Trailing { bytes: 14 }]);
        assert_eq!(read(b"<FinalStatus></FinalStatus>\n\n").unwrap().oddities.count(), 0);
    }

    #[test]
    fn the_content_of_a_figure_changes_nothing_whatever_it_is() {
        let long = format!("<name>{}</name>", "n".repeat(2 * FIGURE_BYTES));
        for content in [
            "<name>fail</name><value>9</value>",
            "<fail value=\"9\"><fail value=\"8\"/></fail>",
            "<!-- </fail> --><![CDATA[</fail>]]><?pi </fail>?>",
            "<other></other ><a/>&amp;",
            &long,
        ] {
            let group = format!(
                "<Group label=\"a\">{COUNTS}<fail value=\"1\">{content}</fail ><fail value=\"1\">{content}</fail></Group>"
            );
            let report = report(&group);
            assert_eq!((report.labels["a"].failures, report.oddities.count()), (1, 0), "{content}");
        }
    }
}
