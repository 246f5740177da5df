//! How the users of a worker are shared among executions.

/// A worker has fewer users than the configuration has executions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a worker has {users} virtual users for {executions} executions; each execution needs at least one, so write usersPerWorker: {executions} or more"
)]
pub struct TooFewUsers {
    /// Users of a worker.
    pub users: u32,
    /// Executions of the configuration.
    pub executions: usize,
}

/// Largest remainder (Hamilton's method) over what is left when each has one; of equal remainders the earlier execution gets the user.
pub(super) fn shares(weights: &[u32], users: u32) -> Result<Vec<u32>, TooFewUsers> {
    let too_few = || TooFewUsers { users, executions: weights.len() };
    let count = u32::try_from(weights.len()).map_err(|_| too_few())?;
    let spare = u64::from(users.checked_sub(count).ok_or_else(too_few)?);
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum::<u64>().max(1);
    // Both factors are below 2³², so no product leaves 64 bits.
    let whole = |weight: u32| spare * u64::from(weight) / sum;
    let remainder = |weight: u32| spare * u64::from(weight) % sum;
    let mut shares: Vec<u32> =
        weights.iter().map(|weight| u32::try_from(1 + whole(*weight)).unwrap_or(u32::MAX)).collect();
    let given: u64 = shares.iter().map(|share| u64::from(*share)).sum();
    let left = usize::try_from(u64::from(users).saturating_sub(given)).unwrap_or_default();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(weights.get(*place).map(|weight| remainder(*weight))));
    for place in order.into_iter().take(left) {
        if let Some(share) = shares.get_mut(place) {
            *share += 1;
        }
    }
    Ok(shares)
}
