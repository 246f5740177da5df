//! Merging against counting all samples at once.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use volley_stats::{Collection, Limits, SampleKind, file};

use crate::generators::{BEYOND_US, OwnedSample, STOP_US, TIGHT, record, samples};

/// Merges collections pairwise in an order that `choices` decides, so grouping and order are both arbitrary.
fn merge_in_some_order(mut parts: Vec<Collection>, choices: &[Index]) -> Collection {
    let mut choices = choices.iter().cycle();
    while parts.len() > 1 {
        let mut left = parts.swap_remove(choices.next().unwrap().index(parts.len()));
        let right = parts.swap_remove(choices.next().unwrap().index(parts.len()));
        left.merge(&right);
        parts.push(left);
    }
    parts.pop().unwrap_or_default()
}

fn choices() -> impl Strategy<Value = Vec<Index>> {
    proptest::collection::vec(any::<Index>(), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_partition_and_order_gives_the_bytes_of_recording_everything_at_once(
        mut all in samples(120), owners in proptest::collection::vec(0_usize..6, 120), choices in choices(),
    ) {
        // Users are per worker, so they cannot be the same for one worker as for six.
        for sample in &mut all {
            sample.active_users = None;
        }
        let mut parts: Vec<Vec<OwnedSample>> = vec![Vec::new(); 6];
        all.iter().zip(owners).for_each(|(sample, owner)| parts[owner].push(sample.clone()));
        let parts = parts.iter().map(|part| record(part, Limits::default())).collect();
        let merged = merge_in_some_order(parts, &choices);
        prop_assert_eq!(file::encode(&merged), file::encode(&record(&all, Limits::default())));
    }

    #[test]
    fn any_order_gives_the_same_bytes_where_workers_folded(
        parts in proptest::collection::vec(samples(40), 1..7), one in choices(), other in choices(),
    ) {
        let parts: Vec<Collection> = parts.iter().map(|part| record(part, TIGHT)).collect();
        let merged = merge_in_some_order(parts.clone(), &one);
        prop_assert_eq!(file::encode(&merge_in_some_order(parts.clone(), &other)), file::encode(&merged));
        // Folding moves samples, it never loses any.
        let seen: u64 = parts.iter().map(|part| part.overview.samples).sum();
        let kept: u64 = merged.requests.values().chain(merged.transactions.values())
            .map(|label| label.requests() + label.interrupted.count()).sum();
        prop_assert_eq!((kept, merged.overview.samples), (seen, seen));
        let errors: u64 = merged.errors.iter().map(|(_, count)| count).sum();
        prop_assert_eq!(errors, merged.total().errors());
    }

    #[test]
    fn a_collection_says_what_counting_one_by_one_says(all in samples(80)) {
        let collection = record(&all, Limits::default());
        let mut counted: BTreeMap<(SampleKind, &str), [u64; 3]> = BTreeMap::new();
        let mut errors: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
        let mut interval: Option<(i64, i64)> = None;
        let mut bytes = Some(0);
        let mut beyond = 0;
        for sample in &all {
            let end_us = sample.start_us + i64::try_from(sample.elapsed_us).unwrap();
            let cut_off = !sample.success && end_us >= STOP_US
                && (sample.message == "Socket closed" || sample.kind == SampleKind::Transaction);
            let outcome = if cut_off { 2 } else { usize::from(!sample.success) };
            counted.entry((sample.kind, &sample.label)).or_default()[outcome] += 1;
            if sample.kind == SampleKind::Request && !cut_off {
                let (first, last) = interval.unwrap_or((sample.start_us, end_us));
                interval = Some((first.min(sample.start_us), last.max(end_us)));
                bytes = bytes.zip(sample.bytes).map(|(sum, more)| sum + more);
                beyond += u64::from(sample.elapsed_us == BEYOND_US);
                if !sample.success {
                    *errors.entry((&sample.label, sample.code, sample.message)).or_default() += 1;
                }
            }
        }
        prop_assert_eq!(collection.label_count(), counted.len());
        for ((kind, name), [successes, failures, interrupted]) in &counted {
            let label = &collection.labels(*kind)[*name];
            prop_assert_eq!(
                (label.successes.count(), label.errors(), label.interrupted.count()),
                (*successes, *failures, *interrupted)
            );
            prop_assert_eq!(label.codes.values().sum::<u64>(), successes + failures);
        }
        let requests: u64 =
            counted.iter().filter(|((kind, _), _)| *kind == SampleKind::Request).map(|(_, [s, f, _])| s + f).sum();
        let total = collection.total();
        prop_assert_eq!((total.requests(), total.bytes()), (requests, bytes));
        prop_assert_eq!((total.together().count(), total.together().elapsed.clamped()), (requests, beyond));
        let grouped: BTreeMap<_, _> =
            collection.errors.iter().map(|(key, count)| ((&*key.label, &*key.code, &*key.message), count)).collect();
        prop_assert_eq!(grouped, errors);
        let overview = &collection.overview;
        prop_assert_eq!(overview.first_start_us.zip(overview.last_end_us), interval);
        let users = all.iter().filter_map(|sample| sample.active_users).max().unwrap_or(0);
        prop_assert_eq!(overview.peak_users, u64::from(users));
    }
}
