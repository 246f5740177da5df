//! `volley version`: our version and those of the engines that this release's worker image holds.

use serde_json::{Map, Value, json};

use super::{CommandError, print_json, print_text};
use crate::cli::VersionArguments;
use crate::exit::Exit;
use crate::report::Output;

/// The file that pins what the worker image holds; the image and the tests read the same one.
const PINNED: &str = include_str!("../../../../container/versions.env");
/// Commit of the build, where the build says it; a build does not look for it, so that it stays reproducible.
const COMMIT: Option<&str> = option_env!("VOLLEY_COMMIT");

/// Runs the command.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(arguments: &VersionArguments) -> Result<Exit, CommandError> {
    match arguments.output {
        Output::Table => print_text(&text())?,
        Output::Json => print_json(&json())?,
    }
    Ok(Exit::Success)
}

fn api_version() -> String {
    format!("{}/{}", volley_api::GROUP, volley_api::VERSION)
}

fn text() -> String {
    let mut lines = vec![
        ("volley".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("commit".to_owned(), COMMIT.unwrap_or("unknown").to_owned()),
        ("api".to_owned(), api_version()),
    ];
    lines.extend(pinned(PINNED));
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    lines.into_iter().fold(String::new(), |text, (name, version)| text + &format!("{name:<width$}{version}\n"))
}

fn json() -> Value {
    let engines: Map<_, _> = pinned(PINNED).into_iter().map(|(name, version)| (name, Value::String(version))).collect();
    json!({"volley": env!("CARGO_PKG_VERSION"), "commit": COMMIT, "api": api_version(), "pinned": engines})
}

/// The versions of a file of `NAME_VERSION=value` lines, as `(name, value)` in the file's order.
fn pinned(file: &str) -> Vec<(String, String)> {
    file.lines()
        .filter_map(|line| line.trim().split_once('='))
        .filter_map(|(key, value)| Some((key.strip_suffix("_VERSION")?, value)))
        .filter(|(key, _)| !key.starts_with('#'))
        .map(|(key, value)| (key.to_lowercase().replace('_', "-"), value.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_version_lines_count() {
        let file = "# A_VERSION=0\nTAURUS_VERSION=1.17.2\n\nJMETER_PLUGIN_TST_VERSION=2.5\nDEBIAN_SUITE=bookworm\n";
        let expected = [("taurus", "1.17.2"), ("jmeter-plugin-tst", "2.5")];
        let expected: Vec<_> =
            expected.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect();
        assert_eq!(pinned(file), expected);
    }

    #[test]
    fn the_pinned_engines_are_known() {
        let names: Vec<_> = pinned(PINNED).into_iter().map(|(name, _)| name).collect();
        for engine in ["taurus", "jmeter", "k6", "locust"] {
            assert!(names.iter().any(|name| name == engine), "{engine} is not in {names:?}");
        }
        assert!(text().contains("taurus"), "{}", text());
        assert_eq!(json()["api"], "volley.dev/v1alpha1");
    }
}
