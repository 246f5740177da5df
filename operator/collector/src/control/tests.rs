//! Properties over random orders of events, and the cases that people ask about. The judge knows the timeline of the events and
//! the trace of the steps, nothing of the planner.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rstest::rstest;
use volley_storage::documents::{DOCUMENT_VERSION, LateWorkers, StartDecision, StopDecision, StopReason};

use super::*;
use crate::disk;

const TICK_MS: i64 = 250;
const LAST_TICK: i64 = 240;
const LOAD_MS: u64 = 15_000;
const MAX_LOAD_MS: u64 = 20_000;
const MAX_UNCONTROLLED_MS: u64 = 10_000;

fn limits() -> Limits {
    Limits {
        target: "here".into(),
        load_ms: LOAD_MS,
        max_load_ms: MAX_LOAD_MS,
        max_uncontrolled_ms: MAX_UNCONTROLLED_MS,
    }
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap()
}

fn start_at(milliseconds: i64, region: &str) -> StartDecision {
    StartDecision {
        version: DOCUMENT_VERSION,
        start_at: at(milliseconds),
        regions: vec![region.into()],
        late_workers: LateWorkers::Refuse,
        left_out: [].into(),
    }
}

fn stop_decision() -> StopDecision {
    StopDecision {
        version: DOCUMENT_VERSION,
        reason: StopReason::Requested,
        message: "too hot".into(),
        at: Timestamp::UNIX_EPOCH,
    }
}

/// What happens around the collector.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    SourcesReady,
    SourcesFailed,
    /// The storage is asked for `start.json` for the first time and says what is there.
    LookedForStart,
    /// `start.json` is written; the poll of that moment reads it.
    StartRead {
        start_at_ms: i64,
        here: bool,
        join: bool,
    },
    StopRead,
    StorageGone,
    StorageBack,
    /// Something fills the disk.
    DiskFull,
    Prepared,
    WorkerFailed,
    WorkerEnded,
    DeliveryEnds {
        complete: bool,
    },
    /// The process is killed and started again: it keeps the files and nothing else.
    Restarted,
    /// The process is not given the processor for this long.
    Stalled {
        milliseconds: i64,
    },
    Terminated,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::SourcesReady),
        1 => Just(Event::SourcesFailed),
        4 => Just(Event::LookedForStart),
        4 => (0..LAST_TICK * TICK_MS, prop::bool::weighted(0.9), any::<bool>())
            .prop_map(|(start_at_ms, here, join)| Event::StartRead { start_at_ms, here, join }),
        1 => Just(Event::StopRead),
        1 => Just(Event::StorageGone),
        1 => Just(Event::StorageBack),
        1 => Just(Event::DiskFull),
        4 => Just(Event::Prepared),
        1 => Just(Event::WorkerFailed),
        2 => Just(Event::WorkerEnded),
        2 => any::<bool>().prop_map(|complete| Event::DeliveryEnds { complete }),
        1 => Just(Event::Restarted),
        1 => (0..8_000_i64).prop_map(|milliseconds| Event::Stalled { milliseconds }),
        1 => Just(Event::Terminated),
    ]
}

/// Events at ticks; an ordinary beginning most of the time, so that deep states are reached.
fn any_timeline() -> impl Strategy<Value = Vec<(i64, Event)>> {
    let beginning = prop::bool::weighted(0.7).prop_flat_map(|ordinary| {
        let start_at_ms = 500..12_000_i64;
        // Late by itself where late workers may join: then Taurus may take until long after the instant.
        let prepared = prop_oneof![3 => Just(4_i64), 1 => 4..80_i64];
        (Just(ordinary), start_at_ms, any::<bool>(), prepared).prop_map(|(ordinary, start_at_ms, join, prepared)| {
            if ordinary {
                vec![
                    (1, Event::LookedForStart),
                    (2, Event::SourcesReady),
                    (prepared, Event::Prepared),
                    (8, Event::StartRead { start_at_ms, here: true, join }),
                ]
            } else {
                Vec::new()
            }
        })
    });
    (beginning, prop::collection::vec((0..LAST_TICK, any_event()), 0..8)).prop_map(|(mut timeline, more)| {
        timeline.extend(more);
        timeline.sort_by_key(|(tick, _)| *tick);
        timeline
    })
}

/// The trace: what happened when, from outside.
#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Happened(Event),
    Did(Action),
}

struct World {
    observed: Observed,
    now_ms: i64,
    start_written: Option<StartDecision>,
    stop_written: bool,
    storage: bool,
    last_answer_ms: i64,
    terminated_ms: Option<i64>,
    exited: bool,
    trace: Vec<(i64, Entry)>,
}

impl World {
    fn new() -> Self {
        Self {
            observed: Observed::nothing(),
            now_ms: 0,
            start_written: None,
            stop_written: false,
            storage: true,
            last_answer_ms: 0,
            terminated_ms: None,
            exited: false,
            trace: Vec::new(),
        }
    }

    fn happen(&mut self, event: &Event) {
        let launched = self.observed.launched;
        match event {
            Event::SourcesReady if self.observed.sources == Sources::Pending => self.observed.sources = Sources::Ready,
            Event::SourcesFailed if self.observed.sources == Sources::Pending => {
                self.observed.sources = Sources::Failed;
            }
            Event::LookedForStart if self.storage => self.observed.start_looked_for = true,
            Event::StartRead { start_at_ms, here, join } if self.start_written.is_none() => {
                let late_workers = if *join { LateWorkers::Join } else { LateWorkers::Refuse };
                let decision = start_at(*start_at_ms, if *here { "here" } else { "elsewhere" });
                self.start_written = Some(StartDecision { late_workers, ..decision });
            }
            Event::StopRead => self.stop_written = true,
            Event::StorageGone => self.storage = false,
            Event::StorageBack => self.storage = true,
            Event::DiskFull => self.observed.free_bytes = Some(disk::TOO_LITTLE - 1),
            Event::Prepared if launched && !self.observed.ended => self.observed.prepared = true,
            Event::WorkerFailed if launched && !self.observed.ended => self.observed.failed = true,
            Event::WorkerEnded if launched => self.observed.ended = true,
            Event::DeliveryEnds { complete } if self.delivering() => {
                self.observed.delivered = Some(if *complete { Outcome::Complete } else { Outcome::GaveUp });
            }
            Event::Restarted => {
                let files = self.observed.clone();
                self.observed = Observed {
                    launched: files.launched,
                    refused: files.refused,
                    opened: files.opened,
                    stopping: files.stopping,
                    uploaded: files.uploaded,
                    prepared: files.prepared,
                    released_at: files.released_at,
                    failed: files.failed,
                    ended: files.ended,
                    free_bytes: files.free_bytes,
                    ..Observed::nothing()
                };
                self.last_answer_ms = self.now_ms;
            }
            Event::Stalled { milliseconds } => self.now_ms += milliseconds,
            Event::Terminated => self.terminated_ms = Some(self.terminated_ms.unwrap_or(self.now_ms)),
            _ => return,
        }
        self.trace.push((self.now_ms, Entry::Happened(event.clone())));
    }

    fn delivering(&self) -> bool {
        self.trace.iter().rev().any(|(_, entry)| matches!(entry, Entry::Did(Action::Deliver(_))))
            && self.observed.delivered.is_none()
    }

    /// The poll of each tick.
    fn poll(&mut self) {
        if !self.storage {
            return;
        }
        self.last_answer_ms = self.now_ms;
        self.observed.start_looked_for |= self.start_written.is_some();
        if let (Some(decision), None) = (&self.start_written, &self.observed.start) {
            self.observed.start = Some(StartSeen { decision: decision.clone(), at: at(self.now_ms) });
        }
        if self.stop_written && self.observed.stop.is_none() {
            self.observed.stop = Some(stop_decision());
        }
    }

    /// Does what the plan says until it rests; the instant at which it wants to be asked again.
    fn step(&mut self) -> Option<i64> {
        for _ in 0..10 {
            if self.exited {
                return None;
            }
            self.observed.without_storage_ms = u64::try_from(self.now_ms - self.last_answer_ms).unwrap();
            self.observed.terminating_ms = self.terminated_ms.map(|since| u64::try_from(self.now_ms - since).unwrap());
            let plan = plan(&self.observed, &limits(), at(self.now_ms));
            let Some(action) = plan.action else {
                return plan.wake_at.map(Timestamp::as_millisecond);
            };
            if matches!(action, Action::Deliver(_)) {
                if self.delivering() {
                    return None; // It takes its time.
                }
                self.trace.push((self.now_ms, Entry::Did(action)));
                return None;
            }
            match &action {
                Action::Launch => self.observed.launched = true,
                Action::Refuse(_) => self.observed.refused = true,
                Action::OpenGate => {
                    self.observed.opened = true;
                    self.observed.released_at = Some(at(self.now_ms));
                }
                Action::Stop(_) => self.observed.stopping = true,
                Action::ConfirmUpload => self.observed.uploaded = true,
                Action::Exit => self.exited = true,
                Action::Deliver(_) => {}
            }
            self.trace.push((self.now_ms, Entry::Did(action)));
        }
        panic!("the plan does not come to rest: {:?}", self.trace);
    }

    fn live(&mut self, timeline: &[(i64, Event)]) {
        for tick in 0..LAST_TICK {
            self.now_ms = self.now_ms.max(tick * TICK_MS);
            for (_, event) in timeline.iter().filter(|(at, _)| *at == tick) {
                self.happen(event);
            }
            self.poll();
            if let Some(wake_ms) = self.step()
                && wake_ms > self.now_ms
                && wake_ms < (tick + 1) * TICK_MS
            {
                self.now_ms = wake_ms;
                self.step();
            }
        }
        // A pod does not live for ever, and a delivery has a deadline.
        self.happen(&Event::Terminated);
        for _ in 0..200 {
            self.now_ms += TICK_MS;
            self.poll();
            self.step();
            self.happen(&Event::DeliveryEnds { complete: true });
        }
    }
}

/// Says what is illegal in a trace.
fn judge(trace: &[(i64, Entry)]) -> Result<(), String> {
    let did = |wanted: fn(&Action) -> bool| {
        trace.iter().enumerate().filter_map(move |(position, (now, entry))| match entry {
            Entry::Did(action) if wanted(action) => Some((position, *now)),
            _ => None,
        })
    };
    let happened_before = |position: usize, wanted: fn(&Event) -> bool| {
        trace[..position].iter().any(|(_, entry)| matches!(entry, Entry::Happened(event) if wanted(event)))
    };
    let launches = did(|action| matches!(action, Action::Launch)).count();
    let openings: Vec<_> = did(|action| matches!(action, Action::OpenGate)).collect();
    let refusals: Vec<_> = did(|action| matches!(action, Action::Refuse(_))).collect();
    let stops: Vec<_> = did(|action| matches!(action, Action::Stop(_))).collect();
    let start = trace.iter().find_map(|(now, entry)| match entry {
        Entry::Happened(Event::StartRead { start_at_ms, here, join }) => Some((*now, *start_at_ms, *here, *join)),
        _ => None,
    });
    for (what, count) in
        [("launches", launches), ("openings", openings.len()), ("refusals", refusals.len()), ("stops", stops.len())]
    {
        if count > 1 {
            return Err(format!("{count} {what}"));
        }
    }
    if let Some((position, now)) = openings.first().copied() {
        let Some((written, start_at, here, join)) = start else { return Err("opened without a decision".into()) };
        if !here {
            return Err("opened for another region".into());
        }
        if now < start_at {
            return Err(format!("opened at {now}, before {start_at}"));
        }
        let over = start_at + i64::try_from(LOAD_MS).unwrap();
        if now >= over {
            return Err(format!("opened at {now}, when the load was over since {over}"));
        }
        if !join && (written >= start_at || now > start_at + MAXIMUM_DELAY_MS) {
            return Err(format!("late load: written {written}, start {start_at}, opened {now}"));
        }
        if launches == 0 || !happened_before(position, |event| *event == Event::Prepared) {
            return Err("opened for a worker that is not prepared".into());
        }
        let storage = trace[..position].iter().rev().find_map(|(_, entry)| match entry {
            Entry::Happened(Event::StorageGone) => Some(false),
            Entry::Happened(Event::StorageBack) => Some(true),
            _ => None,
        });
        if storage != Some(false) && happened_before(position, |event| *event == Event::StopRead) {
            return Err("opened after a stop".into());
        }
        if happened_before(position, |event| {
            matches!(event, Event::WorkerEnded | Event::Terminated | Event::WorkerFailed)
        }) {
            return Err("opened for a worker that is gone".into());
        }
        if refusals.iter().chain(&stops).any(|(other, _)| *other < position) {
            return Err("opened after a refusal or a stop".into());
        }
        if refusals.iter().any(|(other, _)| *other > position) {
            return Err("refused after it was opened".into());
        }
        // Load ends: by itself, or by a stop within one tick of the deadline (stalls are the scheduler's).
        let stalled: i64 = trace
            .iter()
            .map(
                |(_, entry)| {
                    if let Entry::Happened(Event::Stalled { milliseconds }) = entry { *milliseconds } else { 0 }
                },
            )
            .sum();
        // Who joins more than a second late ends with the others.
        let longest = if join && now > start_at + 1_000 { LOAD_MS } else { MAX_LOAD_MS };
        let deadline = start_at + i64::try_from(longest).unwrap() + stalled + 2 * TICK_MS;
        let ends = |entry: &Entry| {
            matches!(entry, Entry::Did(Action::Stop(_)) | Entry::Happened(Event::WorkerEnded | Event::WorkerFailed))
        };
        let ended = trace[..].iter().find(|(_, entry)| ends(entry)).map(|(now, _)| *now);
        let last = trace.last().map_or(0, |(now, _)| *now);
        if ended.unwrap_or(last) > deadline {
            return Err(format!("load ran until {ended:?}, past {deadline}"));
        }
        let full = trace.iter().find(|(_, entry)| *entry == Entry::Happened(Event::DiskFull)).map(|(at, _)| *at);
        if full.is_some_and(|full| ended.unwrap_or(last) > full.max(now) + stalled + 2 * TICK_MS) {
            return Err(format!("load ran until {ended:?}; the disk was full at {full:?}"));
        }
    }
    if !did(|action| matches!(action, Action::Exit)).count().eq(&1) {
        return Err("told to end, it did not".into());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_order_of_events_leads_to_a_wrong_start_or_to_no_end(timeline in any_timeline()) {
        let mut world = World::new();
        world.live(&timeline);
        if let Err(wrong) = judge(&world.trace) {
            prop_assert!(false, "{}\n{:#?}", wrong, world.trace);
        }
    }

    #[test]
    fn a_worker_that_ends_or_fails_is_delivered_and_confirmed(timeline in any_timeline()) {
        let mut world = World::new();
        world.live(&timeline);
        let position = |wanted: fn(&Entry) -> bool| world.trace.iter().position(|(_, entry)| wanted(entry));
        let ended = position(|entry| matches!(entry, Entry::Happened(Event::WorkerEnded | Event::WorkerFailed)));
        let refused = position(|entry| matches!(entry, Entry::Did(Action::Refuse(_))));
        if ended.is_some() && refused.is_none() {
            let gave_up = position(|entry| matches!(entry, Entry::Happened(Event::DeliveryEnds { complete: false })));
            let confirmed = position(|entry| matches!(entry, Entry::Did(Action::ConfirmUpload)));
            prop_assert!(gave_up.is_some() || confirmed.is_some(), "{:#?}", world.trace);
        }
    }
}

fn prepared_with_start(start_at_ms: i64, read_at_ms: i64) -> Observed {
    Observed {
        sources: Sources::Ready,
        start_looked_for: true,
        launched: true,
        prepared: true,
        start: Some(StartSeen { decision: start_at(start_at_ms, "here"), at: at(read_at_ms) }),
        ..Observed::nothing()
    }
}

#[rstest]
#[case::a_millisecond_early(9_999, None)]
#[case::at_the_instant(10_000, Some(Action::OpenGate))]
#[case::after_a_stall(14_000, Some(Action::OpenGate))]
fn the_gate_opens_at_the_instant(#[case] now: i64, #[case] action: Option<Action>) {
    let plan = plan(&prepared_with_start(10_000, 5_000), &limits(), at(now));
    assert_eq!(plan.action, action);
    assert_eq!(plan.wake_at, (now < 10_000).then(|| at(10_000)));
}

#[rstest]
#[case::read_after_the_instant(prepared_with_start(10_000, 10_001), 10_002, RefusalReason::Late)]
#[case::not_prepared_at_the_instant(Observed { prepared: false, ..prepared_with_start(10_000, 5_000) }, 10_000, RefusalReason::Late)]
#[case::stalled_too_long(prepared_with_start(10_000, 5_000), 15_001, RefusalReason::Late)]
#[case::a_replacement_before_the_instant(
    Observed { launched: false, prepared: false, ..prepared_with_start(10_000, 5_000) }, 6_000, RefusalReason::Late
)]
#[case::another_region(
    Observed { start: Some(StartSeen { decision: start_at(10_000, "elsewhere"), at: at(1) }), ..prepared_with_start(0, 0) },
    6_000, RefusalReason::NotInRegions
)]
#[case::load_that_is_over(joining(Observed { prepared: false, ..prepared_with_start(10_000, 10_001) }), 25_000, RefusalReason::Late)]
#[case::a_late_pod_of_load_that_is_over(
    joining(Observed { launched: false, prepared: false, ..prepared_with_start(10_000, 10_001) }), 25_000, RefusalReason::Late
)]
#[case::a_late_pod_of_another_region(
    Observed { launched: false, start: Some(StartSeen { decision: start_at(10_000, "elsewhere"), at: at(1) }), ..prepared_with_start(0, 0) },
    6_000, RefusalReason::NotInRegions
)]
fn a_worker_is_refused(#[case] observed: Observed, #[case] now: i64, #[case] reason: RefusalReason) {
    let Some(Action::Refuse(refusal)) = plan(&observed, &limits(), at(now)).action else { panic!("not refused") };
    assert_eq!(refusal.reason, reason);
}

/// As observed, where late workers may join.
fn joining(mut observed: Observed) -> Observed {
    observed.start.as_mut().unwrap().decision.late_workers = LateWorkers::Join;
    observed
}

#[rstest]
#[case::a_replacement_is_launched(Observed { launched: false, prepared: false, ..prepared_with_start(10_000, 12_000) }, Some(Action::Launch))]
#[case::it_prepares(Observed { prepared: false, ..prepared_with_start(10_000, 12_000) }, None)]
#[case::then_it_begins(prepared_with_start(10_000, 12_000), Some(Action::OpenGate))]
fn where_late_workers_may_join_they_begin_when_they_are_prepared(
    #[case] observed: Observed,
    #[case] action: Option<Action>,
) {
    assert_eq!(plan(&joining(observed), &limits(), at(13_000)).action, action);
}

#[test]
fn the_load_of_a_late_worker_ends_with_that_of_the_others() {
    let opened = |released_ms: i64| {
        joining(Observed { opened: true, released_at: Some(at(released_ms)), ..prepared_with_start(10_000, 5_000) })
    };
    assert_eq!(plan(&opened(13_000), &limits(), at(24_999)).wake_at, Some(at(25_000)));
    let Some(Action::Stop(file)) = plan(&opened(13_000), &limits(), at(25_000)).action else { panic!("goes on") };
    assert_eq!(file.reason, StopReason::DeadlineExceeded);
    assert_eq!(plan(&opened(10_020), &limits(), at(25_000)).action, None, "who was in time ends by itself");
}

#[rstest]
#[case::decided(Observed { stop: Some(stop_decision()), ..prepared_with_start(10_000, 5_000) }, 10_000, StopReason::Requested)]
#[case::before_the_launch(Observed { stop: Some(stop_decision()), ..Observed::nothing() }, 0, StopReason::Requested)]
#[case::too_long(Observed { opened: true, ..prepared_with_start(10_000, 5_000) }, 30_000, StopReason::DeadlineExceeded)]
#[case::uncontrolled(
    Observed { opened: true, without_storage_ms: MAX_UNCONTROLLED_MS, ..prepared_with_start(10_000, 5_000) }, 12_000, StopReason::Uncontrolled
)]
#[case::disk_full(
    Observed { opened: true, free_bytes: Some(disk::TOO_LITTLE - 1), ..prepared_with_start(10_000, 5_000) }, 12_000, StopReason::DiskFull
)]
#[case::told_to_end(Observed { opened: true, terminating_ms: Some(0), ..prepared_with_start(10_000, 5_000) }, 12_000, StopReason::Deleted)]
fn load_is_stopped(#[case] observed: Observed, #[case] now: i64, #[case] reason: StopReason) {
    let Some(Action::Stop(file)) = plan(&observed, &limits(), at(now)).action else { panic!("not stopped") };
    assert_eq!(file.reason, reason);
}

#[rstest]
#[case::enough_room(Observed { opened: true, free_bytes: Some(disk::TOO_LITTLE), ..prepared_with_start(10_000, 5_000) })]
#[case::no_load_that_could_fill_it(Observed { free_bytes: Some(0), ..prepared_with_start(15_000, 5_000) })]
fn load_is_not_stopped(#[case] observed: Observed) {
    assert_eq!(plan(&observed, &limits(), at(12_000)).action, None);
}

#[test]
fn a_worker_that_left_the_gate_by_a_decision_delivers_a_manifest_and_a_failed_one_does_not() {
    let left = Observed {
        stop: Some(stop_decision()),
        stopping: true,
        ended: true,
        sources: Sources::Ready,
        start: None,
        ..prepared_with_start(10_000, 5_000)
    };
    assert_eq!(plan(&left, &limits(), at(1)).action, Some(Action::Deliver(Delivery::Results)));
    let failed = Observed { failed: true, ended: true, start: None, ..prepared_with_start(10_000, 5_000) };
    assert_eq!(plan(&failed, &limits(), at(1)).action, Some(Action::Deliver(Delivery::Failure)));
}

#[test]
fn the_deadline_of_a_restarted_collector_without_storage_follows_from_the_released_gate() {
    let observed = Observed { launched: true, opened: true, released_at: Some(at(10_000)), ..Observed::nothing() };
    let plan = plan(&observed, &limits(), at(11_000));
    assert_eq!(plan.wake_at, Some(at(10_000).checked_add(SignedDuration::from_millis(20_000)).unwrap()));
}
