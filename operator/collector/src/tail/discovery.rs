//! Which files of the artifacts folder hold samples, by their names.
//!
//! Source of the names: `create_artifact` in Taurus 1.17.2 and its executors. A second file of a kind gets `-1` before its ending
//! (for apiritif before the number of the process).

use volley_stats::Engine;

/// The engines whose sample file may have this name; none where it is no sample file.
///
/// JMeter and Locust name theirs alike; the first row tells them apart.
pub(super) fn engines_of(name: &str) -> &'static [Engine] {
    if is_numbered(name, "kpi", ".jtl") {
        &[Engine::JMeter, Engine::Locust]
    } else if is_numbered(name, "kpi", ".csv") {
        &[Engine::K6]
    } else if is_numbered(name, "molotov-report", ".ldjson") {
        &[Engine::Molotov]
    } else if is_numbered(name, "taurus-samples", ".csv") {
        &[Engine::Taurus]
    } else if let Some((stem, process)) = name.strip_suffix(".csv").and_then(|rest| rest.rsplit_once('.'))
        && is_number(process)
        && is_numbered(stem, "apiritif", "")
    {
        // One file a process: `apiritif.0.csv`, of a second execution `apiritif-1.0.csv`.
        &[Engine::Apiritif]
    } else {
        &[]
    }
}

/// `<stem><ending>` or `<stem>-<number><ending>`.
fn is_numbered(name: &str, stem: &str, ending: &str) -> bool {
    let middle = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ending));
    middle.is_some_and(|middle| middle.is_empty() || middle.strip_prefix('-').is_some_and(is_number))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("kpi.jtl", &[Engine::JMeter, Engine::Locust])]
    #[case("kpi-12.jtl", &[Engine::JMeter, Engine::Locust])]
    #[case("kpi.csv", &[Engine::K6])]
    #[case("kpi-1.csv", &[Engine::K6])]
    #[case("apiritif.0.csv", &[Engine::Apiritif])]
    #[case("apiritif-1.17.csv", &[Engine::Apiritif])]
    #[case("molotov-report.ldjson", &[Engine::Molotov])]
    #[case("molotov-report-2.ldjson", &[Engine::Molotov])]
    #[case("taurus-samples.csv", &[Engine::Taurus])]
    #[case("taurus-samples-1.csv", &[Engine::Taurus])]
    #[case("error.jtl", &[])]
    #[case("kpi-.jtl", &[])]
    #[case("kpi-one.jtl", &[])]
    #[case("kpi.jtl.bak", &[])]
    #[case("apiritif.csv", &[])]
    #[case("apiritif..csv", &[])]
    #[case("locust-workers.ldjson", &[])]
    fn a_sample_file_is_known_by_its_name(#[case] name: &str, #[case] engines: &[Engine]) {
        assert_eq!(engines_of(name), engines);
    }
}
