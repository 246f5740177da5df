//! Quotients of integers as decimal numbers, rounded half up, the same on every machine.

/// `numerator / denominator` with that many decimals; 0 where the denominator is 0.
pub(super) fn decimal(numerator: u128, denominator: u128, decimals: u32) -> String {
    let factor = 10_u128.pow(decimals);
    let denominator = if denominator == 0 { return decimal(0, 1, decimals) } else { denominator };
    // Whole and rest apart, so that nothing overflows: a rest is below a denominator of at most 64 bits.
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    let fraction =
        (rest.saturating_mul(factor).saturating_mul(2).saturating_add(denominator)) / denominator.saturating_mul(2);
    let (whole, fraction) = (whole + fraction / factor, fraction % factor);
    if decimals == 0 { whole.to_string() } else { format!("{whole}.{fraction:0width$}", width = decimals as usize) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_rounded_half_up() {
        assert_eq!(decimal(1, 8, 2), "0.13");
        assert_eq!(decimal(1999, 1000, 2), "2.00");
        assert_eq!(decimal(1500, 1000, 0), "2");
        assert_eq!(decimal(5, 0, 3), "0.000");
        assert_eq!(decimal(u128::from(u64::MAX), 1, 1), "18446744073709551615.0");
    }
}
