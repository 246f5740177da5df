//! Whether something grows: the straight line through points, by least squares.

/// How much the second of each pair grows when the first grows by one; `None` where the first is the same in all of them.
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let mut count = 0.0;
    let (mut sum_x, mut sum_y) = (0.0, 0.0);
    for (x, y) in points {
        count += 1.0;
        sum_x += x;
        sum_y += y;
    }
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (mut common, mut own) = (0.0, 0.0);
    for (x, y) in points {
        common += (x - mean_x) * (y - mean_y);
        own += (x - mean_x) * (x - mean_x);
    }
    (own > 0.0).then(|| common / own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_line_that_the_points_lie_on_or_around() {
        let line: Vec<_> = (0..10).map(|x| (f64::from(x), 40.0 - 3.0 * f64::from(x))).collect();
        assert!((slope(&line).unwrap() + 3.0).abs() < 1e-9);
        // As far above the line as below it, with no tendency of their own.
        let around = [(0.0, 1.0), (1.0, 0.0), (2.0, 0.0), (3.0, 1.0)];
        assert!(slope(&around).unwrap().abs() < 1e-9);
    }

    #[test]
    fn without_two_different_places_there_is_no_slope() {
        assert_eq!(slope(&[]), None);
        assert_eq!(slope(&[(2.0, 1.0), (2.0, 9.0)]), None);
    }
}
