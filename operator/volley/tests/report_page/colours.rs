//! Contrast of colours as a browser computes them. Source: WCAG 2.1, "contrast ratio" and "relative luminance".

/// Red, green and blue of `rgb(1, 2, 3)`, 0 to 255; `None` for what is transparent.
fn channels(colour: &str) -> Option<[f64; 3]> {
    let numbers = colour.strip_prefix("rgb(")?.strip_suffix(')')?;
    let channels: Vec<f64> = numbers.split(',').map_while(|number| number.trim().parse().ok()).collect();
    channels.try_into().ok()
}

fn luminance(colour: &str) -> f64 {
    let channels = channels(colour).unwrap_or_else(|| panic!("{colour} is no opaque colour"));
    let [red, green, blue] = channels.map(|channel| {
        let share = channel / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// From 1 (the same) to 21 (black and white).
pub(crate) fn contrast(one: &str, two: &str) -> f64 {
    let (one, two) = (luminance(one), luminance(two));
    (one.max(two) + 0.05) / (one.min(two) + 0.05)
}

#[test]
fn contrast_is_that_of_the_standard() {
    assert!((contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") - 21.0).abs() < 1e-9);
    // The darkest grey that is still readable on white by level AA, from the standard's explanations.
    assert!((contrast("rgb(118, 118, 118)", "rgb(255, 255, 255)") - 4.54).abs() < 0.005);
}
