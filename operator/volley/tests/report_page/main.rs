//! The page of `volley report -o html`, in a real browser.

#![cfg(test)]

mod browser;
mod colours;
mod pages;

use std::collections::BTreeMap;

use serde_json::Value;
use volley_api::figures::time_us;

use browser::{Browser, Page};
use colours::contrast;

/// Width of a screen and of a telephone, in CSS pixels.
const WIDTHS: [u32; 2] = [1280, 390];

/// What is drawn of a chart: the corners of its view, and the points of each line.
struct Chart {
    summary: String,
    width: f64,
    height: f64,
    lines: Vec<Vec<(f64, f64)>>,
}

/// The charts of a page; each point of a line must be a place within its chart.
fn charts(page: &mut Page<'_>) -> Vec<Chart> {
    let drawn: Vec<(String, String, Vec<String>)> = page.evaluate(
        "[...document.querySelectorAll('.chart > svg')].map(svg => [svg.getAttribute('aria-label'), svg.getAttribute('viewBox'), \
         [...svg.querySelectorAll('path.curve')].map(path => path.getAttribute('d'))])",
    );
    let number = |text: &str| text.parse::<f64>().unwrap_or_else(|_| panic!("{text:?} is no number"));
    let charts = drawn.into_iter().map(|(summary, view, paths)| {
        let corners: Vec<f64> = view.split(' ').map(number).collect();
        let [_, _, width, height] = corners[..] else { panic!("{view:?} is no view") };
        let points = |path: &String| {
            let places = path.trim_start_matches('M').split(['L', 'M']);
            let points = places.map(|place| place.split_once(' ').map(|(x, y)| (number(x), number(y))).unwrap());
            points.collect::<Vec<_>>()
        };
        let lines: Vec<Vec<_>> = paths.iter().map(points).collect();
        for (x, y) in lines.iter().flatten() {
            assert!(
                (0.0..=width).contains(x) && (0.0..=height).contains(y),
                "({x}, {y}) is outside of {view}: {summary}"
            );
        }
        Chart { summary, width, height, lines }
    });
    charts.collect()
}

/// From the smallest to the largest.
fn extent(values: impl Iterator<Item = f64>) -> f64 {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    high - low
}

#[test]
#[ignore = "needs Chromium: make test prepares it"]
fn a_page_asks_for_nothing_but_itself_and_has_nothing_to_complain_of() {
    let mut browser = Browser::start();
    for made in [pages::samples(), pages::result(), pages::summary(), pages::hostile()] {
        for (scheme, width) in [("light", WIDTHS[0]), ("dark", WIDTHS[0]), ("light", WIDTHS[1])] {
            let mut page = browser.open(&made.path, scheme, width);
            assert_eq!(page.complaints(), Vec::<String>::new());
            assert_eq!(page.requests(), [format!("file://{}", made.path.display())]);
            let (wide, seen): (u32, u32) =
                page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]");
            assert!(wide <= seen, "{} is {wide} wide on a screen of {seen}", made.report["title"]);
        }
    }
}

#[test]
#[ignore = "needs Chromium: make test prepares it"]
fn plots_show_the_course_and_the_percentiles() {
    let mut browser = Browser::start();
    let made = pages::samples();
    let mut page = browser.open(&made.path, "light", WIDTHS[0]);
    let charts_before = charts(&mut page);
    let summaries: Vec<_> = charts_before.iter().map(|chart| chart.summary.split(',').next().unwrap()).collect();
    let expected = [
        "Response time over time",
        "Requests and errors per second over time",
        "Active users over time. Arrow keys move the read-out.",
        "Response time by percentile of all requests. Arrow keys move the read-out.",
    ];
    assert_eq!(summaries, expected);
    for chart in &charts_before {
        let points = chart.lines.iter().map(Vec::len).sum::<usize>();
        assert!(points >= 10, "{points} points in {}", chart.summary);
        assert!(chart.lines.iter().all(|line| line.is_sorted_by(|one, two| one.0 <= two.0)), "{}", chart.summary);
        let points = || chart.lines.iter().flatten();
        let (across, up) = (extent(points().map(|point| point.0)), extent(points().map(|point| point.1)));
        assert!(across > chart.width / 2.0, "{} takes {across} of {}", chart.summary, chart.width);
        assert!(up > chart.height / 10.0, "{} takes {up} of {}", chart.summary, chart.height);
    }

    // A time cannot be drawn in both scales alike.
    page.click("#time-log");
    let logarithmic = charts(&mut page);
    assert_ne!(logarithmic[0].lines, charts_before[0].lines);
    assert_eq!(logarithmic[1].lines, charts_before[1].lines, "a rate has no logarithmic scale");
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
#[ignore = "needs Chromium: make test prepares it"]
fn the_read_out_of_the_percentiles_says_the_figures_of_the_report() {
    let mut browser = Browser::start();
    let made = pages::samples();
    let mut page = browser.open(&made.path, "light", WIDTHS[0]);
    page.evaluate::<Option<bool>>("document.querySelector('#percentile-chart .chart > svg').focus()");
    page.press("Home");
    let mut seen = BTreeMap::new();
    for _ in 0..100 {
        let (name, value): (String, String) = page.evaluate(
            "(() => { const box = document.querySelector('#percentile-chart .readout'); \
             return [box.querySelector('b').textContent, box.querySelector('td').textContent]; })()",
        );
        seen.insert(name, value);
        page.press("ArrowRight");
    }
    let totals = &made.report["totals"];
    for percentile in ["p50", "p90", "p95", "p99"] {
        let expected = time_us(totals[percentile].as_u64().unwrap());
        assert_eq!(seen.get(percentile), Some(&expected), "{percentile} of {seen:?}");
    }
    assert!(seen.values().any(|value| *value == time_us(totals["max"].as_u64().unwrap())), "{seen:?}");
}

/// The exact numbers behind the cells of a row of figures; `None`: not known.
type Cells = Vec<Option<f64>>;

/// Figures of the report as a row has them.
fn cells(figures: &Value) -> Cells {
    let names = ["average", "min", "p50", "p90", "p95", "p99", "p999", "max", "bytes"];
    let milli = figures["requestRate"].as_f64().map(|rate| (rate * 1000.0).round());
    let (requests, errors) = (figures["requests"].as_u64().unwrap(), figures["errors"].as_u64().unwrap());
    let counts = [requests, errors, errors * 1_000_000 / requests].map(|count| Value::from(count).as_f64());
    counts.into_iter().chain([milli]).chain(names.map(|name| figures[name].as_f64())).collect()
}

#[test]
#[ignore = "needs Chromium: make test prepares it"]
fn tables_hold_the_figures_of_the_report() {
    const ROW: &str =
        "row => [...row.cells].slice(1).map(cell => cell.dataset.v === undefined ? null : Number(cell.dataset.v))";
    let mut browser = Browser::start();
    for made in [pages::samples(), pages::result(), pages::hostile()] {
        let mut page = browser.open(&made.path, "light", WIDTHS[0]);
        let rows: Vec<Cells> = page.evaluate(&format!("[...document.querySelectorAll('#labels tbody tr')].map({ROW})"));
        let expected: Vec<Cells> = made.report["labels"].as_array().unwrap().iter().map(cells).collect();
        assert_eq!(rows, expected, "{}", made.report["title"]);
        let total: Cells = page.evaluate(&format!("({ROW})(document.querySelector('#labels tfoot tr'))"));
        assert_eq!(total, cells(&made.report["totals"]));
    }
}

#[test]
#[ignore = "needs Chromium: make test prepares it"]
fn a_table_is_sorted_by_a_click_and_searched_by_a_word() {
    const SHOWN: &str = "[...document.querySelectorAll('#labels tbody tr')].filter(row => !row.hidden)";
    let mut browser = Browser::start();
    let made = pages::hostile();
    let mut page = browser.open(&made.path, "light", WIDTHS[0]);
    let column = |page: &mut Page<'_>| -> Vec<u64> {
        page.evaluate(&format!("{SHOWN}.map(row => Number(row.cells[12].dataset.v))"))
    };
    let button = "#labels thead th:nth-child(13) button";
    page.click(button);
    let longest_first = column(&mut page);
    assert!(longest_first.is_sorted_by(|one, two| one >= two) && longest_first.len() > 12, "{longest_first:?}");
    page.click(button);
    let shortest_first = column(&mut page);
    assert!(shortest_first.is_sorted() && shortest_first.first() < shortest_first.last(), "{shortest_first:?}");

    page.click("#find");
    page.write("PAGE 3");
    let names: Vec<String> = page.evaluate(&format!("{SHOWN}.map(row => row.cells[0].textContent)"));
    assert_eq!(names, ["page 3"]);
    let found: String = page.evaluate("document.querySelector('#found').textContent");
    assert_eq!(found, format!("1 of {}", shortest_first.len()));
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
#[ignore = "needs Chromium: make test prepares it"]
fn both_schemes_can_be_read() {
    /// Each element with words of its own: what it is, its colour, and that of the nearest background.
    const TEXTS: &str = "[...document.querySelectorAll('body *')].filter(element => element instanceof HTMLElement && element.offsetParent !== null \
        && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim() !== '')).map(element => { \
        let under = element; \
        while (under.parentElement && getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)') under = under.parentElement; \
        return [`${element.tagName} ${element.className} ${element.textContent.slice(0, 30)}`, getComputedStyle(element).color, \
            getComputedStyle(under).backgroundColor]; })";
    /// The same of lines and words in the plots, which stand on the card of their section.
    const DRAWN: &str = "[...document.querySelectorAll('.chart > svg path.curve, .chart > svg text')].map(element => { \
        const style = getComputedStyle(element); \
        return [element.getAttribute('class') || element.textContent, element.tagName === 'text' ? style.fill : style.stroke, \
            getComputedStyle(element.closest('section')).backgroundColor]; })";
    let mut browser = Browser::start();
    for made in [pages::samples(), pages::result()] {
        let mut backgrounds = Vec::new();
        for scheme in ["light", "dark"] {
            let mut page = browser.open(&made.path, scheme, WIDTHS[0]);
            let texts: Vec<(String, String, String)> = page.evaluate(TEXTS);
            assert!(texts.len() > 30, "{} texts", texts.len());
            let drawn: Vec<(String, String, String)> = page.evaluate(DRAWN);
            // WCAG 2.1, level AA: 1.4.3 of words, 1.4.11 of what has to be seen to understand.
            for (least, elements) in [(4.5, texts), (3.0, drawn)] {
                for (what, colour, background) in elements {
                    let contrast = contrast(&colour, &background);
                    assert!(contrast >= least, "{scheme}: {what}: {colour} on {background} is {contrast:.2}");
                }
            }
            backgrounds.push(page.evaluate::<String>("getComputedStyle(document.body).backgroundColor"));
        }
        assert!(contrast(&backgrounds[0], &backgrounds[1]) > 10.0, "{backgrounds:?}");
    }
}

#[test]
#[ignore = "needs Chromium: make test prepares it"]
fn words_of_strangers_are_shown_and_do_nothing() {
    let mut browser = Browser::start();
    let made = pages::hostile();
    for width in WIDTHS {
        let mut page = browser.open(&made.path, "light", width);
        // Their curves are drawn, so that their words are in legends and summaries too.
        for place in 0..5 {
            page.evaluate::<Option<bool>>(&format!(
                "(() => {{ const add = document.querySelector('#curve-add'); \
                 const strange = [...add.options].filter(option => option.value && !option.text.startsWith('page ')); \
                 add.value = strange[{place}].value; add.dispatchEvent(new Event('change')); }})()"
            ));
        }
        let owned: bool = page.evaluate("window.owned !== undefined");
        assert!(!owned);
        let (images, scripts, bold): (u32, u32, u32) =
            page.evaluate("['img', 'script', 'td b'].map(tag => document.querySelectorAll(tag).length)");
        assert_eq!((images, scripts, bold), (0, 2, 0));
        let title: String = page.evaluate("document.querySelector('h1').textContent");
        assert_eq!(made.report["title"], title);
        assert!(title.ends_with("<img src=x onerror=alert(1)> \"&'.jtl"), "{title}");
        let names: Vec<String> = page.evaluate(
            "[...document.querySelectorAll('#labels tbody td:first-child bdi')].map(name => name.textContent)",
        );
        for (_, shown) in pages::HOSTILE {
            assert!(names.iter().any(|name| name == shown), "{shown:?} is not in {names:?}");
        }
        let longest = names.iter().max_by_key(|name| name.len()).unwrap();
        assert!(longest.len() > 200 && longest.starts_with("xxx"), "{longest}");
        // Whatever is written there, the figures stand to the right of it, in their order.
        let places: Vec<Vec<f64>> = page.evaluate(
            "[...document.querySelectorAll('#labels tbody tr')].map(row => [...row.cells].map(cell => cell.getBoundingClientRect().x))",
        );
        assert!(places.iter().all(|cells| cells.is_sorted() && cells == &places[0]), "{places:?}");
        assert_eq!(charts(&mut page).last().unwrap().lines.len(), 6, "the curves that were chosen");
        let (wide, seen): (u32, u32) =
            page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]");
        assert!(wide <= seen, "{wide} wide on a screen of {seen}");
        assert_eq!(page.complaints(), Vec::<String>::new());
    }
}
