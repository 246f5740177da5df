//! Pages as `volley report -o html` makes them, and what the same command says as JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A page in a folder of its own.
pub(crate) struct Made {
    pub(crate) path: PathBuf,
    /// The figures that are in it.
    pub(crate) report: Value,
    _folder: TempDir,
}

impl Made {
    fn of(folder: TempDir, files: &[PathBuf]) -> Self {
        let output = |format: &str| {
            let output = Command::new(env!("CARGO_BIN_EXE_volley"))
                .args(["report", "-o", format])
                .args(files)
                .output()
                .expect("volley can be started");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        let path = folder.path().join("page.html");
        fs::write(&path, output("html")).unwrap();
        let report = serde_json::from_slice(&output("json")).unwrap();
        Self { path, report, _folder: folder }
    }

    fn of_repository(files: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let files: Vec<_> = files.iter().map(|file| root.join(file)).collect();
        Self::of(tempfile::tempdir().unwrap(), &files)
    }
}

/// Two workers' samples: several labels, errors, users.
pub(crate) fn samples() -> Made {
    Made::of_repository(&["examples/report/worker-1.jtl", "examples/report/worker-2.jtl"])
}

/// The result of a run: thresholds, of which one is missed, warnings, regions.
pub(crate) fn result() -> Made {
    Made::of_repository(&["docs/reference/result.example.json"])
}

/// Taurus' own summary: no course over time.
pub(crate) fn summary() -> Made {
    Made::of_repository(&["examples/report/final-stats.xml"])
}

/// A name as long as no table has room for.
pub(crate) const LONG: usize = 5_000;
/// Labels that a browser could take for more than words, and how the page must show them.
pub(crate) const HOSTILE: [(&str, &str); 6] = [
    ("<script>window.owned = 1</script>", "<script>window.owned = 1</script>"),
    ("</script><script>window.owned = 2</script><!--", "</script><script>window.owned = 2</script><!--"),
    ("<img src=x onerror='window.owned = 3'>", "<img src=x onerror='window.owned = 3'>"),
    ("\" autofocus onfocus=\"window.owned = 4", "\" autofocus onfocus=\"window.owned = 4"),
    // What turns the direction of writing is written out.
    ("cart\u{202e}slaed", "cart\\u{202e}slaed"),
    // What is written from right to left is shown as it is.
    ("קופה/תשלום", "קופה/תשלום"),
];

/// Samples with such labels, a very long one and some plain ones, from a file whose name is no better.
pub(crate) fn hostile() -> Made {
    let plain = (0..10).map(|number| format!("page {number}"));
    let labels: Vec<String> =
        HOSTILE.iter().map(|(label, _)| (*label).to_owned()).chain([long()]).chain(plain).collect();
    let mut rows = String::from("timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,bytes\n");
    for number in 0..600_u32 {
        let label = labels[number as usize % labels.len()].replace('"', "\"\"");
        let success = number % 7 != 0;
        let (code, message) = if success { ("200", "OK") } else { ("<b>500</b>", "<script>window.owned = 5</script>") };
        let (stamp, elapsed) = (1_795_600_800_000_u64 + u64::from(number) * 50, 20 + number % 90);
        let _ = writeln!(rows, "{stamp},{elapsed},\"{label}\",{code},{message},users 1-1,{success},512");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("<img src=x onerror=alert(1)> \"&'.jtl");
    fs::write(&file, rows).unwrap();
    Made::of(folder, &[file])
}

/// A name without a place to break it.
pub(crate) fn long() -> String {
    "x".repeat(LONG)
}
