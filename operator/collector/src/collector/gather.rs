//! What the collector sees: files of its neighbours, decisions, the disk, its own tasks.

use tokio::sync::oneshot;
use volley_storage::documents::{DOCUMENT_VERSION, FailedStage, WorkerFailure};

use super::{Collector, milliseconds};
use crate::control::Sources;
use crate::disk;
use crate::files::FileError;

impl Collector {
    pub(super) fn gather(&mut self) {
        self.gather_fetched();
        self.gather_status();
        self.gather_disk();
        self.gather_clock();
        let decisions = self.decisions.borrow().clone();
        self.observed.start_looked_for = decisions.start_looked_for;
        self.observed.start = decisions.start;
        self.seen.start = self.observed.start.as_ref().map(|start| start.decision.clone());
        self.observed.stop = decisions.stop;
        self.observed.without_storage_ms = milliseconds(decisions.answered.elapsed());
        self.observed.terminating_ms = self.terminating_since.map(|since| milliseconds(since.elapsed()));
    }

    fn gather_fetched(&mut self) {
        let Some(receiver) = &mut self.fetching else { return };
        match receiver.try_recv() {
            Ok(Ok(definition)) => {
                self.definition = Some(definition);
                self.observed.sources = Sources::Ready;
                self.start_tail();
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "this worker cannot be given its work");
                self.fetch_failure = Some(error.failure());
                self.observed.sources = Sources::Failed;
            }
            Err(oneshot::error::TryRecvError::Empty) => return,
            Err(oneshot::error::TryRecvError::Closed) => self.observed.sources = Sources::Failed,
        }
        self.fetching = None;
    }

    fn gather_status(&mut self) {
        if !(self.observed.launched || self.observed.stopping) {
            return;
        }
        let mut trouble = None;
        if self.seen.prepared.is_none() {
            self.seen.prepared = read(self.work.prepared(), &mut trouble);
        }
        if self.observed.opened && self.seen.released.is_none() {
            self.seen.released = read(self.work.released(), &mut trouble);
        }
        if self.seen.failed.is_none() {
            self.seen.failed = self.work.failed().unwrap_or_else(|error| Some(unreadable(&error)));
        }
        if self.seen.ended.is_none() {
            self.seen.ended = read(self.work.ended(), &mut trouble);
        }
        self.observed.prepared = self.seen.prepared.is_some();
        self.observed.released_at = self.seen.released.as_ref().map(|released| released.at);
        self.observed.failed = self.seen.failed.is_some();
        self.observed.ended = self.seen.ended.is_some();
        if let Some(error) = trouble.filter(|_| !self.complained) {
            self.complained = true;
            tracing::error!(%error, "what the main container says about itself cannot be read");
        }
    }

    fn gather_clock(&mut self) {
        let opened = self.observed.released_at;
        if let Some(date) = self.objects.last_date()
            && self.clock.observe(date, opened)
        {
            self.seen.clock = self.clock.at(opened.unwrap_or(date.received));
        }
    }

    /// Only load fills the disk, and only under load does its room count.
    fn gather_disk(&mut self) {
        if !self.observed.opened || self.observed.ended {
            return;
        }
        if let Some(free) = self.disk.look() {
            self.observed.free_bytes = Some(free);
            if self.seen.least_free.is_none_or(|least| least >= disk::LITTLE) && free < disk::LITTLE {
                tracing::warn!(free_mib = free >> 20, "little room is left on the disk");
            }
            self.seen.least_free = Some(self.seen.least_free.map_or(free, |least| least.min(free)));
        }
    }
}

fn read<T>(outcome: Result<Option<T>, FileError>, trouble: &mut Option<FileError>) -> Option<T> {
    outcome.unwrap_or_else(|error| {
        *trouble = Some(error);
        None
    })
}

fn unreadable(error: &FileError) -> WorkerFailure {
    WorkerFailure {
        version: DOCUMENT_VERSION,
        stage: FailedStage::Prepare,
        file: None,
        line: None,
        words: format!("the worker failed, and why cannot be read: {error}"),
    }
}
