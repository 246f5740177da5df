//! The newest figures in the run's status.

use std::collections::VecDeque;
use std::time::Duration;

use futures::future;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval, timeout};
use volley_api::figures::{rate, ratio, time_us};
use volley_api::load_test_run::LiveFigures;
use volley_stats::Percentile;
use volley_stats::frame::Responses;
use volley_stats::health::WHOLE_PPM;
use volley_storage::documents::Definition;

use super::{ClosedSecond, Generators, Live};
use crate::publish;

/// How often the status is written, where something has changed.
const PERIOD: Duration = Duration::from_secs(5);
/// How long writing may take; then the next one is due.
const PATIENCE: Duration = Duration::from_secs(4);
/// Seconds that rate, errors and percentiles are of, unless the live interval is longer.
const WINDOW_S: u32 = 5;

/// The last closed seconds.
#[derive(Debug)]
struct Window {
    length: usize,
    /// The second, its users and its requests.
    seconds: VecDeque<(i64, u64, Responses)>,
    /// Of the newest second.
    generators: Generators,
}

impl Window {
    fn new(interval_s: u32) -> Self {
        let length = usize::try_from(interval_s.max(WINDOW_S)).unwrap_or(1);
        Self { length, seconds: VecDeque::new(), generators: Generators::default() }
    }

    fn add(&mut self, closed: &ClosedSecond) {
        if self.seconds.len() >= self.length {
            self.seconds.pop_front();
        }
        self.seconds.push_back((closed.second, closed.users, closed.totals.clone()));
        self.generators.clone_from(&closed.generators);
    }

    fn figures(&self) -> Option<LiveFigures> {
        let (second, users, _) = self.seconds.back()?;
        let mut requests = Responses::default();
        self.seconds.iter().for_each(|(_, _, responses)| requests.merge(responses));
        Some(figures(*second, *users, &requests, self.seconds.len() as u64, &self.generators))
    }
}

/// The figures of some seconds, of which `second` is the last, with its `users` and the load of its workers.
#[must_use]
pub fn figures(second: i64, users: u64, requests: &Responses, seconds: u64, generators: &Generators) -> LiveFigures {
    let time = |percentile| requests.elapsed.percentile(percentile).map(time_us);
    LiveFigures {
        at: Time(Timestamp::from_second(second.saturating_add(1)).unwrap_or(Timestamp::MAX)),
        users: i64::try_from(users).unwrap_or(i64::MAX),
        request_rate: rate(requests.requests(), seconds.saturating_mul(1_000_000)),
        error_rate: ratio(requests.errors, requests.requests()),
        p50: time(Percentile::P50),
        p95: time(Percentile::P95),
        p99: time(Percentile::P99),
        highest_worker_cpu: generators.highest.cpu_ppm.map(|share| ratio(share, WHOLE_PPM)),
        saturated_workers: Some(i64::from(generators.saturated)).filter(|saturated| *saturated > 0),
    }
}

/// Writes the figures every five seconds, where they have changed.
pub(super) async fn report(client: Option<&Client>, definition: &Definition, live: &Live) {
    let Some((client, settings)) = client.zip(definition.live) else { return future::pending().await };
    let mut closed = live.subscribe();
    let mut window = Window::new(settings.interval_s);
    let mut written = None;
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            second = closed.recv() => match second {
                Ok(second) => window.add(&second),
                // The newest ones are what counts.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            _ = ticks.tick() => {
                let figures = window.figures();
                if let Some(figures) = figures.filter(|figures| written.as_ref() != Some(figures)) {
                    match timeout(PATIENCE, publish::live_status(client, &definition.run, &figures)).await {
                        Ok(Ok(())) => written = Some(figures),
                        Ok(Err(error)) => tracing::warn!(%error, "the live figures do not reach the status"),
                        Err(_) => tracing::warn!(seconds = PATIENCE.as_secs(), "the status was not written in time"),
                    }
                }
            }
        }
    }
}
