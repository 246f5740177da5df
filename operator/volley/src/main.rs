//! The one binary. It wires only: arguments, TLS provider, logs, signals, exit codes.

// A binary has no readers outside: `pub` says what a module shows to the other modules.
#![allow(unreachable_pub)]

mod cli;
mod cluster;
mod commands;
mod exit;
mod follow;
mod manifest;
#[cfg(test)]
mod reference;
mod report;
mod signals;
mod telemetry;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use commands::CommandError;
use exit::Exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Two TLS providers may be in the tree; the first client needs one that was chosen.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return failed(&CommandError::cluster("cannot install the TLS provider: another one is installed"));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&CommandError::cluster(&format!("cannot start the runtime: {error}"))),
    };
    let ended = runtime.block_on(run(cli.command));
    // Whatever still runs is a blocking read of standard input or the like; it must not keep the process.
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => failed(&error),
    }
}

async fn run(command: Command) -> Result<Exit, CommandError> {
    match command {
        Command::Run(arguments) => commands::run::run(arguments).await,
        Command::Watch(arguments) => commands::watch::run(arguments).await,
        Command::Result(arguments) => commands::result::run(&arguments).await,
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Validate(arguments) => commands::validate::run(&arguments),
        Command::Version(arguments) => commands::version::run(&arguments),
        Command::Operator(arguments) => commands::operator::run(*arguments).await,
        Command::Collector(arguments) => commands::collector::run(arguments).await,
        Command::Aggregator(arguments) => commands::aggregator::run(arguments).await,
        Command::Storage(arguments) => commands::storage::run(arguments).await,
    }
}

fn failed(error: &CommandError) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {error}");
    error.exit.into()
}
