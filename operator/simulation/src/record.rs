//! What a simulated worker did, as a line of JSON.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use volley_collector::Settings;
use volley_storage::objects::RequestCounts;

use crate::worker::Played;

/// One worker from the first sight of its pod to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerRecord {
    /// The cluster.
    pub cluster: String,
    /// Uid of the run.
    pub run_uid: String,
    /// Name of the RegionTarget.
    pub target: String,
    /// Completion index.
    pub index: u32,
    /// Uid of the pod.
    pub pod_uid: String,
    /// The node saw the pod.
    pub seen_at: Timestamp,
    /// Its containers were started.
    pub started_at: Timestamp,
    /// `prepared.json` was written.
    pub prepared_at: Option<Timestamp>,
    /// The probe was first answered with 200.
    pub ready_at: Option<Timestamp>,
    /// The gate opened.
    pub released_at: Option<Timestamp>,
    /// The load ended.
    pub ended_at: Option<Timestamp>,
    /// The main container saw `uploaded`.
    pub uploaded_at: Option<Timestamp>,
    /// All containers were gone.
    pub gone_at: Timestamp,
    /// Exit code of the main container.
    pub exit_code: i32,
    /// Samples that were written.
    pub samples: u64,
    /// Requests to the storage up to `prepared.json`.
    pub until_prepared: Requests,
    /// Up to the release.
    pub until_released: Requests,
    /// Up to the end of the load.
    pub until_ended: Requests,
    /// In all.
    pub until_gone: Requests,
}

/// Requests to the storage, in the classes in which S3 bills them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// PUT, COPY, POST and LIST.
    pub writes: u64,
    /// GET and HEAD.
    pub reads: u64,
}

impl From<RequestCounts> for Requests {
    fn from(counts: RequestCounts) -> Self {
        Self { writes: counts.writes, reads: counts.reads }
    }
}

impl WorkerRecord {
    /// A worker whose pod was seen.
    pub(crate) fn new(cluster: &str, settings: &Settings, seen_at: Timestamp) -> Self {
        Self {
            cluster: cluster.to_owned(),
            run_uid: settings.run_uid.clone(),
            target: settings.worker.target.clone(),
            index: settings.worker.index,
            pod_uid: settings.worker.pod_uid.clone(),
            seen_at,
            started_at: seen_at,
            prepared_at: None,
            ready_at: None,
            released_at: None,
            ended_at: None,
            uploaded_at: None,
            gone_at: seen_at,
            exit_code: 0,
            samples: 0,
            until_prepared: Requests::default(),
            until_released: Requests::default(),
            until_ended: Requests::default(),
            until_gone: Requests::default(),
        }
    }

    /// The worker at its end.
    pub(crate) fn complete(self, started_at: Timestamp, ready_at: Option<Timestamp>, played: &Played) -> Self {
        let (moments, requests) = (played.moments, played.requests);
        Self {
            started_at,
            prepared_at: moments.prepared,
            ready_at,
            released_at: moments.released,
            ended_at: moments.ended,
            uploaded_at: moments.uploaded,
            gone_at: played.gone_at,
            exit_code: played.exit.number(),
            samples: played.samples,
            until_prepared: requests.prepared.into(),
            until_released: requests.released.into(),
            until_ended: requests.ended.into(),
            until_gone: requests.gone.into(),
            ..self
        }
    }
}
