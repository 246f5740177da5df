//! What becomes of live frames in the storage.

use std::collections::BTreeSet;

use volley_storage::documents::Live;
use volley_storage::keys;
use volley_storage::objects::PutOptions;

use crate::fixtures::{RUN, START_S, attempt, definition, recorded, request};
use crate::whole_runs::Bench;

impl Bench {
    async fn keys(&self) -> BTreeSet<String> {
        let all = self.store.list_all(&keys::run_prefix(RUN), 1_000).await.unwrap();
        all.into_iter().map(|object| object.key).collect()
    }
}

#[tokio::test]
async fn the_frames_of_a_closed_run_go_and_everything_else_stays() {
    let mut definition = definition(&[("eu", 1)]);
    definition.live = Some(Live { interval_s: 1 });
    let mut bench = Bench::of(definition).await;
    let worker = attempt("eu", 0);
    bench.worker(&worker, &recorded(&[request("home", 0, 5_000, true)])).await;
    let others = bench.keys().await;
    let frames = (1..=3).map(|second| worker.frame(RUN, START_S + second));
    for key in frames.chain([keys::live_state(RUN)]) {
        bench.store.put(&key, "figures that nobody needs any more", PutOptions::default()).await.unwrap();
    }

    bench.aggregate().await.unwrap();
    let left = bench.keys().await;
    assert!(left.is_superset(&others) && left.contains(&keys::result(RUN)), "{left:?}");
    let live: Vec<_> =
        left.iter().filter(|key| key.starts_with(&keys::live_state(RUN)) || key.contains("/live/")).collect();
    assert_eq!(live, Vec::<&String>::new());
}
