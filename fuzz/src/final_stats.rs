//! Taurus' XML.

use volley_stats::Collection;
use volley_stats::final_stats::{Merged, cross_check, read};

use crate::pieces::Numbers;

/// A report says the same each time, adds up in any order, and is no report without its end.
pub fn report(bytes: &[u8]) {
    let Ok(report) = read(bytes) else { return };
    let oddities = &report.oddities;
    assert!(oddities.first().len() as u64 <= oddities.count());
    assert!(oddities.first().iter().all(|oddity| oddity.to_string().len() < 2_000), "messages are bounded");
    let differences = cross_check(&report, &Collection::default());
    assert!(differences.iter().all(|difference| difference.to_string().len() < 2_000), "messages are bounded");
    // The least that a group needs: <Group label=""> and three figures.
    assert!((report.labels.len() + report.oddities.first().len()) * 8 <= bytes.len());

    let mut twice = Merged::default();
    twice.add(&report);
    let mut other = twice.clone();
    twice.add(&report);
    other.merge(other.clone());
    assert_eq!(twice, other);

    let end = bytes.iter().rposition(|byte| *byte == b'<').unwrap_or_default();
    let cut = Numbers::from_bytes(bytes).up_to(end);
    if read(&bytes[..cut]).is_ok() {
        // The report itself ended before the cut: what was cut off is what follows it.
        assert!(report.oddities.count() > 0 || bytes[cut..].starts_with(b"<!") || bytes[cut..].trim_ascii().is_empty());
    }
}
