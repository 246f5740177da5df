//! Names of the objects that a run makes, and the limits of the names that users choose.
//!
//! Guarantees, for every run and target that the API server accepts: a name made here is a DNS label (RFC 1123), a worker Job's
//! name leaves room for `-<index>` within 63 characters, and two runs never get the same name for their objects, because
//! the first eight digits of the run's uid stand in it.

/// Most characters of a DNS label.
pub const DNS_LABEL_MAX: usize = 63;
/// Most characters of a LoadTest's name, so that a run's name still says which test it is of.
pub const LOAD_TEST_NAME_MAX: usize = 40;
/// Most characters of a RegionTarget's name, because it stands in every worker's name.
pub const REGION_TARGET_NAME_MAX: usize = 15;
/// Most characters of a LoadTestRun's name.
pub const RUN_NAME_MAX: usize = DNS_LABEL_MAX;
/// Most characters of a run's name that go into the names of its objects.
pub const RUN_PART_MAX: usize = 30;
/// Characters of a run's uid that go into the names of its objects.
pub const UID_PART: usize = 8;

/// A DNS label of at most `max` characters: lower-case letters, digits and `-`, a letter or digit at both ends.
#[must_use]
pub fn is_dns_label(name: &str, max: usize) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= max
        && name.bytes().next().is_some_and(inner)
        && name.bytes().last().is_some_and(inner)
        && name.bytes().all(|byte| inner(byte) || byte == b'-')
}

/// Name of a run that a trigger makes: `<test>-<first 8 digits of the digest>-<generation>`. The same trigger always gives the
/// same name, so a repetition finds its run. `digest` is `v1:<hexadecimal>`.
#[must_use]
pub fn triggered_run(load_test: &str, digest: &str, generation: i64) -> String {
    let hexadecimal = digest.rsplit(':').next().unwrap_or_default();
    let suffix = format!("-{}-{}", part(hexadecimal, 8, "0"), generation.unsigned_abs());
    format!("{}{suffix}", part(load_test, RUN_NAME_MAX - suffix.len(), "run"))
}

/// Name of a region's worker Job and of the objects beside it: `<run, ≤ 30>-<uid, 8>-<target, ≤ 15>`.
#[must_use]
pub fn worker(run: &str, run_uid: &str, target: &str) -> String {
    format!("{}-{}", run_part(run, run_uid), part(target, REGION_TARGET_NAME_MAX, "target"))
}

/// Name of the Secret with a run's storage credentials, in each region's worker namespace.
#[must_use]
pub fn worker_secret(run: &str, run_uid: &str, target: &str) -> String {
    format!("{}-storage", worker(run, run_uid, target))
}

/// Name of the aggregator's Job: `<run, ≤ 30>-<uid, 8>--aggregator`. No worker has it, since a target's name does not begin
/// with `-`.
#[must_use]
pub fn aggregator(run: &str, run_uid: &str) -> String {
    format!("{}--aggregator", run_part(run, run_uid))
}

fn run_part(run: &str, run_uid: &str) -> String {
    format!("{}-{}", part(run, RUN_PART_MAX, "run"), part(run_uid, UID_PART, "0"))
}

/// The first characters of a name, as a DNS label; `otherwise` where nothing is left.
fn part(name: &str, max: usize, otherwise: &str) -> String {
    let cleaned: String = name
        .chars()
        .map(|character| match character {
            'a'..='z' | '0'..='9' => character,
            'A'..='Z' => character.to_ascii_lowercase(),
            _ => '-',
        })
        .collect();
    let cut: String = cleaned.trim_start_matches('-').chars().take(max).collect();
    let cut = cut.trim_end_matches('-');
    if cut.is_empty() { otherwise.to_owned() } else { cut.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UID: &str = "0f7d8a52-4a9b-4a7e-9d0a-6a7a4b1f2c3d";

    #[test]
    fn names_say_whose_they_are() {
        let digest = format!("v1:{}", "abcdef0123456789".repeat(4));
        assert_eq!(triggered_run("checkout", &digest, 3), "checkout-abcdef01-3");
        assert_eq!(worker("checkout-8f2k1", UID, "eu-west-1"), "checkout-8f2k1-0f7d8a52-eu-west-1");
        assert_eq!(worker_secret("checkout-8f2k1", UID, "eu-west-1"), "checkout-8f2k1-0f7d8a52-eu-west-1-storage");
        assert_eq!(aggregator("checkout-8f2k1", UID), "checkout-8f2k1-0f7d8a52--aggregator");
    }

    #[test]
    fn a_name_cut_at_a_hyphen_stays_a_label() {
        let run = format!("{}-b-c", "a".repeat(29));
        assert_eq!(worker(&run, UID, "x"), format!("{}-0f7d8a52-x", "a".repeat(29)));
    }

    #[test]
    fn labels_are_told_from_others() {
        for good in ["a", "0", "a-b", "a--b", &"a".repeat(63)] {
            assert!(is_dns_label(good, DNS_LABEL_MAX), "{good}");
        }
        for bad in ["", "-", "-a", "a-", "A", "a.b", "a_b", "ä", &"a".repeat(64)] {
            assert!(!is_dns_label(bad, DNS_LABEL_MAX), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_a_label_within_its_limit(
            test in "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?",
            run in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
            uid in "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
            target in "[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?",
            hexadecimal in "[0-9a-f]{64}",
            generation in 1_i64..,
        ) {
            let triggered = triggered_run(&test, &format!("v1:{hexadecimal}"), generation);
            prop_assert!(is_dns_label(&triggered, RUN_NAME_MAX), "{}", triggered);
            if generation < 10_000_000_000_000 {
                prop_assert_eq!(&triggered, &format!("{test}-{}-{generation}", &hexadecimal[..8]));
            }
            let worker = worker(&run, &uid, &target);
            let pod = format!("{worker}-9999");
            prop_assert!(is_dns_label(&pod, DNS_LABEL_MAX), "{}", pod);
            let ending = format!("-{}-{target}", &uid[..8]);
            prop_assert!(worker.ends_with(&ending), "{}", worker);
            prop_assert!(is_dns_label(&aggregator(&run, &uid), DNS_LABEL_MAX));
            prop_assert!(is_dns_label(&worker_secret(&run, &uid, &target), DNS_LABEL_MAX));
        }

        #[test]
        fn whatever_the_name_the_result_is_a_label(run in "\\PC{0,80}", uid in "\\PC{0,40}", target in "\\PC{0,40}") {
            let worker = worker(&run, &uid, &target);
            prop_assert!(is_dns_label(&worker, DNS_LABEL_MAX), "{}", worker);
        }
    }
}
