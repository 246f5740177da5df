//! `docs/reference/cli.md`, made from the command line itself. The test fails where the page is another one.

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command, CommandFactory};

use crate::cli::Cli;

const HEAD: &str = "\
# The command `volley`

One binary: the commands of the user, and the parts of the system that the chart starts. This page is made from the program
by `VOLLEY_WRITE_REFERENCE=1 cargo test -p volley the_reference_is_that_of_the_program`.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut root = Cli::command();
    root.build();
    for command in root.get_subcommands() {
        section(&mut page, command);
    }
    page
}

fn section(page: &mut String, command: &Command) {
    let name = command.get_name();
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace("\n       ", "\n");
    let _ = write!(page, "\n## volley {name}\n\n{about}\n\n```\n{usage}\n```\n\n");
    page.push_str("| argument | environment | default | meaning |\n|---|---|---|---|\n");
    for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
        row(page, argument);
    }
}

fn row(page: &mut String, argument: &Arg) {
    let value = argument
        .get_value_names()
        .filter(|_| !matches!(argument.get_action(), ArgAction::SetTrue))
        .and_then(|names| names.first())
        .map(ToString::to_string);
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    let flags: Vec<String> = [short, long].into_iter().flatten().collect();
    let name = match (flags.is_empty(), value) {
        (true, value) => value.unwrap_or_default(),
        (false, Some(value)) => format!("{} {value}", flags.join(", ")),
        (false, None) => flags.join(", "),
    };
    let code = |text: String| if text.is_empty() { text } else { format!("`{text}`") };
    let env = argument.get_env().map(|env| env.to_string_lossy().into_owned()).unwrap_or_default();
    let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    let defaults = if matches!(argument.get_action(), ArgAction::SetTrue) {
        String::new()
    } else {
        defaults.collect::<Vec<_>>().join(",")
    };
    let mut help = argument.get_help().map(ToString::to_string).unwrap_or_default().replace('\n', " ");
    if !help.ends_with('.') {
        help.push('.');
    }
    if argument.is_required_set() {
        help.push_str(" Required.");
    }
    let choices: Vec<String> =
        argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if choices.len() > 1 && !matches!(argument.get_action(), ArgAction::SetTrue) {
        let _ = write!(help, " One of {}.", choices.join(", "));
    }
    let _ = writeln!(page, "| {} | {} | {} | {} |", code(name), code(env), code(defaults), help.replace('|', "\\|"));
}

#[test]
fn the_reference_is_that_of_the_program() {
    let file: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "docs", "reference", "cli.md"].iter().collect();
    let page = page();
    if std::env::var_os("VOLLEY_WRITE_REFERENCE").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        checked_in == page,
        "docs/reference/cli.md is not that of the program; write it with: \
         VOLLEY_WRITE_REFERENCE=1 cargo test -p volley the_reference_is_that_of_the_program"
    );
}
