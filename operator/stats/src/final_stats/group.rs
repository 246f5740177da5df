//! Reading one group.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;
use quick_xml::events::attributes::Attribute;

use super::oddity::excerpt;
use super::{FinalStats, Group, Oddities, Oddity};
use crate::percentile::Percentile;

/// What Taurus' rounding of an average to five decimals of a second takes away at most.
const AVERAGE_ROUNDING_US: u64 = 5;

/// A group whose end was not yet seen.
pub(super) struct OpenGroup {
    label: String,
    count: Option<u64>,
    successes: Option<u64>,
    failures: Option<u64>,
    group: Group,
}

impl OpenGroup {
    /// Begins a group; nothing where it has no readable label, which is noted.
    pub(super) fn new(element: &BytesStart<'_>, oddities: &mut Oddities) -> Option<Self> {
        let label = element.try_get_attribute("label").ok().flatten();
        let Some(label) = label.as_ref().and_then(value) else {
            oddities.add(Oddity::Label { attributes: excerpt(element) });
            return None;
        };
        Some(Self { label: label.into_owned(), count: None, successes: None, failures: None, group: Group::default() })
    }

    /// Takes a figure. Elements that are not known are skipped, figures that make no sense are noted.
    pub(super) fn take(&mut self, element: &BytesStart<'_>, oddities: &mut Oddities) {
        let group = &mut self.group;
        let outcome = match element.name().as_ref() {
            "throughput" => count(element).map(|count| self.count = Some(count)),
            "succ" => count(element).map(|count| self.successes = Some(count)),
            "fail" => count(element).map(|count| self.failures = Some(count)),
            "concurrency" => count(element).map(|count| group.users = Some(count)),
            "avg_rt" => time(element).map(|time| group.average_us = Some(time)),
            "stdev_rt" => time(element).map(|time| group.standard_deviation_us = Some(time)),
            "avg_lt" => time(element).map(|time| group.first_byte_us = Some(time)),
            "avg_ct" => time(element).map(|time| group.connect_us = Some(time)),
            "bytes" => bytes(element).map(|bytes| group.bytes = bytes),
            "rc" => code(element).map(|(code, count)| {
                group.codes.insert(code.into_owned(), count);
            }),
            "perc" => percentile(element).map(|(percentile, time)| {
                group.percentiles.insert(percentile, time);
            }),
            _ => Ok(()),
        };
        if let Err(Wrong { found, expected }) = outcome {
            let element = element.name().as_ref().to_owned();
            oddities.add(Oddity::Value { label: excerpt(&self.label), element, found, expected });
        }
    }

    /// Ends a group and puts it into the report, unless it lacks a count or its label was there before.
    pub(super) fn close(self, report: &mut FinalStats) {
        let Self { label, count, successes, failures, group } = self;
        let (Some(count), Some(successes), Some(failures)) = (count, successes, failures) else {
            let element = match (count, successes) {
                (None, _) => "throughput",
                (_, None) => "succ",
                _ => "fail",
            };
            return report.oddities.add(Oddity::Count { label: excerpt(&label), element });
        };
        let known = if label.is_empty() { report.total.is_some() } else { report.labels.contains_key(&label) };
        if known {
            return report.oddities.add(Oddity::Twice { label: excerpt(&label) });
        }
        if successes.checked_add(failures) != Some(count) {
            let label = excerpt(&label);
            report.oddities.add(Oddity::Contradiction { label, successes, failures, count });
        }
        let mut group = Group { count, successes, failures, ..group };
        leave_out_impossible_average(&label, &mut group, &mut report.oddities);
        if label.is_empty() {
            report.total = Some(group);
        } else {
            report.labels.insert(label, group);
        }
    }
}

/// The minimum and the maximum are cut to milliseconds, the maximum to its slot too (0.1 %); the average is rounded.
fn leave_out_impossible_average(label: &str, group: &mut Group, oddities: &mut Oddities) {
    let bound = |percentile| group.percentiles.get(&percentile).copied();
    let Some((minimum_us, maximum_us)) = bound(Percentile::MINIMUM).zip(bound(Percentile::MAXIMUM)) else { return };
    let highest_us = maximum_us.saturating_add(maximum_us / 500 + 1000);
    if let Some(average_us) = group.average_us
        && !(minimum_us..=highest_us).contains(&average_us.saturating_add(AVERAGE_ROUNDING_US))
    {
        oddities.add(Oddity::Average { label: excerpt(label), average_us, minimum_us, maximum_us });
        group.average_us = None;
        group.standard_deviation_us = None;
    }
}

/// A value that is not of its kind.
struct Wrong {
    found: String,
    expected: &'static str,
}

fn wrong(found: &str, expected: &'static str) -> Wrong {
    Wrong { found: excerpt(found), expected }
}

/// The attributes `value` and `param` of a figure.
fn figure<'a>(element: &'a BytesStart<'_>) -> Result<(Cow<'a, str>, Option<Cow<'a, str>>), Wrong> {
    let malformed = || wrong(element, "element with the attribute 'value'");
    let (mut found_value, mut found_param) = (None, None);
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| malformed())?;
        let place = match attribute.key.as_ref() {
            "value" => &mut found_value,
            "param" => &mut found_param,
            _ => continue,
        };
        *place = Some(value(&attribute).ok_or_else(malformed)?);
    }
    Ok((found_value.ok_or_else(malformed)?, found_param))
}

/// The text of an attribute; nothing where it refers to an entity that does not exist.
fn value<'a>(attribute: &Attribute<'a>) -> Option<Cow<'a, str>> {
    attribute.normalized_value(XmlVersion::Explicit1_0).ok()
}

fn param<'a>(element: &BytesStart<'_>, param: Option<Cow<'a, str>>) -> Result<Cow<'a, str>, Wrong> {
    param.ok_or_else(|| wrong(element, "element with the attribute 'param'"))
}

fn count(element: &BytesStart<'_>) -> Result<u64, Wrong> {
    let (value, _) = figure(element)?;
    whole(&value).ok_or_else(|| wrong(&value, "count"))
}

/// Nothing for a number with decimals: that is a sum of k6's, which is wrong by orders of magnitude.
fn bytes(element: &BytesStart<'_>) -> Result<Option<u64>, Wrong> {
    let (value, _) = figure(element)?;
    let bytes = whole(&value).ok_or_else(|| wrong(&value, "number of bytes"))?;
    Ok((!value.contains('.')).then_some(bytes))
}

fn time(element: &BytesStart<'_>) -> Result<u64, Wrong> {
    let (value, _) = figure(element)?;
    microseconds(&value).ok_or_else(|| wrong(&value, "time in seconds"))
}

fn code<'a>(element: &'a BytesStart<'_>) -> Result<(Cow<'a, str>, u64), Wrong> {
    let (value, code) = figure(element)?;
    let count = whole(&value).ok_or_else(|| wrong(&value, "count"))?;
    Ok((param(element, code)?, count))
}

fn percentile(element: &BytesStart<'_>) -> Result<(Percentile, u64), Wrong> {
    let (value, percent) = figure(element)?;
    let percent = param(element, percent)?;
    let percentile = Percentile::from_percent(&percent).map_err(|_| wrong(&percent, "percentile from 0 to 100"))?;
    let time = microseconds(&value).ok_or_else(|| wrong(&value, "time in seconds"))?;
    Ok((percentile, time))
}

/// A count, which Taurus writes with a fraction of zeros where it became a floating point number.
fn whole(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let zeros = fraction.bytes().all(|byte| byte == b'0');
    (zeros && digits(whole)).then(|| whole.parse().ok()).flatten()
}

/// A time in seconds as microseconds; digits below are cut.
pub(super) fn microseconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let places = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    let fraction = places.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
