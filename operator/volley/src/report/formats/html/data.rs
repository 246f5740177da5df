//! What the plots are drawn from, as JSON within the page.

use serde_json::{Value, json};

use crate::report::model::{Curve, Plots};
use crate::report::text::visible;

/// The JSON, fit to stand within a `script` element: nothing in it can end the element or begin another.
pub(super) fn write(plots: &Plots) -> String {
    let mut axes: Vec<Vec<u32>> = Vec::new();
    let curves: Vec<Value> = plots.curves.iter().filter_map(|curve| curve_of(curve, &mut axes)).collect();
    let series: Vec<Value> = plots
        .courses
        .iter()
        .map(|course| {
            let mut value = serde_json::to_value(course).unwrap_or_default();
            value["name"] = visible(&course.name).into();
            value
        })
        .collect();
    let text = json!({"axes": axes, "curves": curves, "series": series, "spread": plots.per_file}).to_string();
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A curve, its percentiles as the beginning of one of the axes. The last point stands apart: it is the longest time, and curves
/// of few requests end early.
fn curve_of(curve: &Curve, axes: &mut Vec<Vec<u32>>) -> Option<Value> {
    let ((end, _), before) = curve.points.split_last()?;
    let percentiles: Vec<u32> = before.iter().map(|(percentile, _)| percentile.thousandths()).collect();
    let known = axes.iter().position(|known| known.starts_with(&percentiles));
    let place = known.unwrap_or_else(|| {
        axes.push(percentiles);
        axes.len() - 1
    });
    let values: Vec<u64> = curve.points.iter().map(|(_, value)| *value).collect();
    Some(json!({
        "name": visible(&curve.name), "count": curve.count, "axis": place, "end": end.thousandths(), "values": values,
    }))
}
