//! What every file must and must not be.
//!
//! * Hand-written code: at most 1,000 lines; above 600 the comment at its head says why, with the words `long because`.
//! * No module named after nothing in particular.
//! * Nothing of the machine on which it was written: absolute paths of a checkout, hosts of a package mirror, numbers of
//!   tickets that a reader cannot open, unfinished work.

use regex_lite::Regex;

/// More lines than this need a reason.
const LONG: usize = 600;
/// More lines than this are never right.
const TOO_LONG: usize = 1000;
/// Lines at the head of a file in which the reason stands.
const HEAD: usize = 40;
/// Names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];
/// Endings of hand-written code.
const CODE: [&str; 8] = ["rs", "go", "py", "ts", "tsx", "sh", "mjs", "js"];

/// Complaints about one file.
pub(crate) fn complaints(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let is_code = CODE.contains(&ending);
    let folders = path.split('/').rev().skip(1);
    if is_code && std::iter::once(stem).chain(folders).any(|part| EMPTY_NAMES.contains(&part)) {
        complaints
            .push(format!("{path}: a name such as {} says nothing; name it after its concept", EMPTY_NAMES.join(", ")));
    }
    if is_code {
        complaints.extend(length(path, text));
    }
    if !is_generated(path) {
        complaints.extend(words(path, text, is_code));
    }
    complaints.extend(foreign_registry(path, text));
    complaints
}

fn length(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    if lines > TOO_LONG {
        return Some(format!("{path}: {lines} lines; split it by concept, {TOO_LONG} is the most"));
    }
    let explains = text.lines().take(HEAD).any(|line| line.to_lowercase().contains("long because"));
    (lines > LONG && !explains).then(|| {
        format!("{path}: {lines} lines; split it, or say in the comment at its head that it is \"long because …\"")
    })
}

/// Lock files and checksums have words that nobody wrote.
fn is_generated(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    ["Cargo.lock", "go.sum", "package-lock.json"].contains(&name)
}

fn words(path: &str, text: &str, is_code: bool) -> Vec<String> {
    // Put together here, so that this file does not complain about itself.
    let unfinished = ["TO", "DO|FIX", "ME|XX", "X"].concat();
    let mut forbidden = vec![
        (
            [r"(^|[\s`'(=:,\x22])/(wo", r"rk(space)?/|ro", r"ot/\.c[a-z]*/)"].concat(),
            "a path of somebody's machine; write it relative to the repository",
        ),
        ([r"\b[Ii]ss", r"ue #?[0-9]+\b"].concat(), "a ticket that a reader cannot open; say what it is about"),
    ];
    if is_code {
        forbidden.push((format!(r"\b({unfinished})\b"), "unfinished work; finish it or leave it out"));
    }
    let mut complaints = Vec::new();
    for (pattern, fault) in forbidden {
        let Ok(expression) = Regex::new(&pattern) else {
            complaints.push(format!("the pattern {pattern} of the checks does not compile"));
            continue;
        };
        for (index, line) in text.lines().enumerate() {
            if let Some(found) = expression.find(line) {
                complaints.push(format!("{path}:{}: {:?} is {fault}", index + 1, found.as_str().trim()));
            }
        }
    }
    complaints
}

/// Lock files name the public registries, whatever mirror a machine uses.
fn foreign_registry(path: &str, text: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (marker, allowed): (&str, &[&str]) = match name {
        "Cargo.lock" => ("source = \"registry+", &["https://github.com/rust-lang/crates.io-index"]),
        "package-lock.json" => ("\"resolved\": \"", &["https://registry.npmjs.org/"]),
        "config.toml" => ("replace-with", &[]),
        "pip.conf" | ".npmrc" | ".pypirc" => ("", &[]),
        _ => return None,
    };
    let foreign = text.lines().find(|line| {
        line.split_once(marker).is_some_and(|(_, rest)| !allowed.iter().any(|registry| rest.starts_with(registry)))
    })?;
    Some(format!(
        "{path}: {:?} names another registry than the public one; make the file anew against that",
        foreign.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_needs_a_reason_and_a_longer_one_has_none() {
        let lines = |count: usize, head: &str| format!("{head}\n{}", "x\n".repeat(count - 1));
        assert_eq!(complaints("a/b.rs", &lines(600, "")), Vec::<String>::new());
        assert_eq!(complaints("a/b.rs", &lines(601, "//! Long because it is one table.")), Vec::<String>::new());
        assert!(complaints("a/b.rs", &lines(601, "//! A table."))[0].contains("601 lines"));
        assert!(
            complaints("a/b.rs", &lines(1001, "//! Long because it is one table."))[0].contains("1000 is the most")
        );
        assert_eq!(complaints("a/b.yaml", &lines(5000, "")), Vec::<String>::new());
    }

    #[test]
    fn a_module_named_after_nothing_is_refused() {
        for path in ["operator/api/src/utils.rs", "operator/common/src/lib.rs", "container/helpers.py"] {
            assert_eq!(complaints(path, "").len(), 1, "{path}");
        }
        assert_eq!(complaints("docs/common.md", ""), Vec::<String>::new());
    }

    #[test]
    fn what_belongs_to_a_machine_or_is_unfinished_is_refused() {
        for line in [
            ["see /wo", "rk/main/x"].concat(),
            ["path=\"/wo", "rkspace/x\""].concat(),
            ["as iss", "ue 12 says"].concat(),
            ["// TO", "DO: more"].concat(),
        ] {
            assert_eq!(complaints("a/b.rs", &line).len(), 1, "{line}");
        }
        for line in ["/volley/work/home", "an issue of the user", "workers/<target>/", "/workers/1/state", "artwork/x"]
        {
            assert_eq!(complaints("a/b.rs", line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn a_lock_file_against_a_mirror_is_refused() {
        let good = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        assert_eq!(complaints("Cargo.lock", good), Vec::<String>::new());
        assert_eq!(complaints("Cargo.lock", "source = \"registry+https://mirror.example/index\"").len(), 1);
        assert_eq!(complaints(".cargo/config.toml", "[source.crates-io]\nreplace-with = \"mirror\"").len(), 1);
    }
}
