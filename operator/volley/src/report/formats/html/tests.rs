//! What the page lets in, and that its data is what the plots need. How it looks is for eyes: `docs/users/report.md`.

use super::*;
use crate::report::formats::sample::{label, report};
use crate::report::model::{Course, Curve, ErrorGroup, Label};
use volley_stats::Percentile;

const HOSTILE: &str = "</script><script>alert(1)</script><!-- \" onload='x' {{data}} \u{1b}[31m";

fn plots() -> Plots {
    let percentile = |thousandths| Percentile::from_thousandths(thousandths).unwrap();
    let curve = |name: &str, points: &[(u32, u64)]| Curve {
        name: name.into(),
        count: 1200,
        points: points.iter().map(|(thousandths, value)| (percentile(*thousandths), *value)).collect(),
    };
    Plots {
        curves: vec![
            curve("all requests", &[(0, 1), (50_000, 2), (99_000, 3), (100_000, 4)]),
            curve(HOSTILE, &[(0, 1), (50_000, 2), (100_000, 3)]),
            curve("other", &[(10_000, 1), (95_000, 5)]),
            curve("nothing", &[]),
        ],
        courses: vec![Course { name: HOSTILE.into(), step: 1, ..Course::default() }],
        per_file: false,
    }
}

fn hostile() -> Report {
    Report {
        title: HOSTILE.into(),
        labels: vec![label(HOSTILE)],
        errors: vec![ErrorGroup {
            label: Some(HOSTILE.into()),
            code: HOSTILE.into(),
            message: HOSTILE.into(),
            count: 1,
        }],
        warnings: vec![HOSTILE.into()],
        ..report()
    }
}

/// What stands between two marks, for the first time.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    page.split_once(start).unwrap().1.split_once(end).unwrap().0
}

#[test]
fn words_of_strangers_are_text_everywhere() {
    let page = write(&hostile(), &plots());
    let plain = write(&report(), &Plots::default());
    for mark in ["<script", "</script", "<!--", "<style"] {
        assert_eq!(page.matches(mark).count(), plain.matches(mark).count(), "{mark}");
    }
    let shown =
        "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;!-- &quot; onload=&#39;x&#39; {{data}} \\u{1b}[31m";
    // The title twice, a label, three cells of an error and a warning.
    assert_eq!(page.matches(shown).count(), 7);
}

#[test]
fn nothing_is_loaded_and_only_our_own_style_and_script_may_run() {
    let page = write(&hostile(), &plots());
    for mark in [" src=", "url(", "@import", " style=\"", "<link", "fetch(", "XMLHttpRequest", "eval(", "innerHTML"] {
        assert!(!page.contains(mark), "{mark}");
    }
    let addresses = page.matches("http").count() - page.matches("http-equiv").count();
    assert_eq!(addresses, 1, "only the name of SVG's namespace");
    let digest = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none';"));
    assert!(policy.contains(&format!("style-src 'sha256-{}'", digest(between(&page, "<style>", "</style>")))));
    let script = between(&page, "<script>", "</script>");
    assert!(policy.contains(&format!("script-src 'sha256-{}'", digest(script))));
}

#[test]
fn the_data_of_the_plots_reads_back() {
    let page = write(&report(), &plots());
    let data = between(&page, "<script type=\"application/json\" id=\"data\">", "</script>");
    let value: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(value["axes"], serde_json::json!([[0, 50_000, 99_000], [10_000]]));
    let curves = value["curves"].as_array().unwrap();
    assert_eq!(curves.len(), 3, "a curve without points is none");
    assert_eq!(curves[1]["axis"], 0);
    assert_eq!(curves[1]["values"], serde_json::json!([1, 2, 3]));
    assert_eq!(curves[2]["end"], 95_000);
    assert!(curves[1]["name"].as_str().unwrap().starts_with("</script><script>"));
    assert_eq!(value["series"][0]["percentiles"], serde_json::Value::Null);
}

#[test]
fn every_place_of_the_template_is_filled_once() {
    let page = write(&report(), &Plots::default());
    assert!(!page.contains("{{"), "{}", between(&page, "{{", "}}"));
    assert_eq!(fill("a {{x}} b {{x}} {{y}", &[("x", "{{y}}"), ("y", "no")]), "a {{y}} b {{y}} ");
}

#[test]
fn a_figure_that_is_not_known_is_a_dash_and_not_a_zero() {
    let labels = vec![Label { figures: crate::report::model::Figures::default(), ..label("rare") }];
    let page = write(&Report { labels, ..report() }, &Plots::default());
    let row = between(&page, "<bdi>rare</bdi>", "</tr>");
    assert_eq!(row.matches("<td>–</td>").count(), 10);
    assert_eq!(row.matches("<td data-v=\"0\">").count(), 3);
}
