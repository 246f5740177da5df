//! `cargo xtask`: generators, the drift check and the checks of the house.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command of developers speaks on its standard output")]

mod argocd;
mod check;
mod generate;
mod reference;
mod repository;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use repository::Repository;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Generators and checks of this repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the CRDs, their copies in the charts, the reference of the objects and the ConfigMap for Argo CD anew
    Generate {
        /// Change nothing; fail where a file differs from what would be made
        #[arg(long)]
        check: bool,
    },
    /// Check the rules of the house: who may depend on whom, lengths of files, what must not be in the repository
    Check,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = Repository::here().and_then(|repository| match arguments.command {
        Command::Generate { check: false } => generate::write(&repository),
        Command::Generate { check: true } => generate::drift(&repository),
        Command::Check => check::all(&repository),
    });
    match outcome {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            for complaint in &complaints {
                eprintln!("{complaint}");
            }
            eprintln!(
                "{} found",
                if complaints.len() == 1 { "1 fault".into() } else { format!("{} faults", complaints.len()) }
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
