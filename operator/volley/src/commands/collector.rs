//! `volley collector`: the sidecar of a worker.

use clap::Args;
use volley_collector::Settings;

use super::{CommandError, start_logs};
use crate::exit::Exit;
use crate::signals;

/// Arguments of `volley collector`; the operator sets the variables in the worker's pod.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Uid of the LoadTestRun.
    #[arg(long, env = "VOLLEY_RUN_UID", value_name = "UID")]
    pub run_uid: String,
    /// Name of the RegionTarget.
    #[arg(long, env = "VOLLEY_TARGET", value_name = "NAME")]
    pub target: String,
    /// The worker's index; the Job controller sets it.
    #[arg(long, env = "JOB_COMPLETION_INDEX", value_name = "NUMBER")]
    pub index: String,
    /// Uid of the pod.
    #[arg(long, env = "VOLLEY_POD_UID", value_name = "UID")]
    pub pod_uid: String,
    /// Bucket of the run.
    #[arg(long, env = "VOLLEY_BUCKET", value_name = "NAME")]
    pub bucket: String,
    /// AWS region of the bucket.
    #[arg(long = "aws-region", env = "AWS_REGION", default_value = "us-east-1", value_name = "REGION")]
    pub region: String,
    /// Endpoint of the S3 protocol, http://host:port; without one: AWS. Credentials come from where the AWS SDK looks.
    #[arg(long, env = "VOLLEY_S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// Address of the readiness probe.
    #[arg(long, env = "VOLLEY_LISTEN", default_value = "0.0.0.0:8655", value_name = "ADDRESS")]
    pub listen: String,
    /// Folder that this process writes and the main container reads.
    #[arg(long, env = "VOLLEY_CONTROL_DIR", default_value = "/volley/control", value_name = "FOLDER")]
    pub control_dir: String,
    /// Folder that the main container writes and this process reads.
    #[arg(long, env = "VOLLEY_WORK_DIR", default_value = "/volley/work", value_name = "FOLDER")]
    pub work_dir: String,
    /// Log filter: error, warn, info, debug or a filter such as info,kube=debug.
    #[arg(long, env = "VOLLEY_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

impl Arguments {
    fn settings(&self) -> Result<Settings, CommandError> {
        let value = |name: &str| match name {
            "VOLLEY_RUN_UID" => Some(&self.run_uid),
            "VOLLEY_TARGET" => Some(&self.target),
            "JOB_COMPLETION_INDEX" => Some(&self.index),
            "VOLLEY_POD_UID" => Some(&self.pod_uid),
            "VOLLEY_BUCKET" => Some(&self.bucket),
            "AWS_REGION" => Some(&self.region),
            "VOLLEY_S3_ENDPOINT" => self.s3_endpoint.as_ref(),
            "VOLLEY_LISTEN" => Some(&self.listen),
            "VOLLEY_CONTROL_DIR" => Some(&self.control_dir),
            "VOLLEY_WORK_DIR" => Some(&self.work_dir),
            _ => None,
        };
        Settings::from_lookup(|name| value(name).cloned()).map_err(|error| CommandError::usage(&error.to_string()))
    }
}

/// Runs until a signal.
///
/// # Errors
/// Wrong usage, or why the collector cannot go on.
pub async fn run(arguments: Arguments) -> Result<Exit, CommandError> {
    start_logs(arguments.log.as_deref())?;
    let settings = arguments.settings()?;
    let shutdown = signals::requested(signals::shutdown().map_err(CommandError::signals)?);
    volley_collector::run(settings, shutdown).await.map_err(|error| CommandError::service(&error.to_string()))?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_reach_the_settings() {
        let mut arguments = Arguments {
            run_uid: "r".into(),
            target: "eu".into(),
            index: "3".into(),
            pod_uid: "p".into(),
            bucket: "volley".into(),
            region: "eu-west-1".into(),
            s3_endpoint: Some("http://storage:9000".into()),
            listen: "127.0.0.1:1".into(),
            control_dir: "/c".into(),
            work_dir: "/w".into(),
            log: None,
        };
        let settings = arguments.settings().unwrap();
        assert_eq!((settings.worker.target.as_str(), settings.worker.index), ("eu", 3));
        assert_eq!(settings.storage.s3_endpoint.as_deref(), Some("http://storage:9000"));
        assert_eq!(settings.work_dir.to_str(), Some("/w"));
        arguments.run_uid = "../x".into();
        assert_eq!(arguments.settings().unwrap_err().exit, Exit::Usage);
    }
}
