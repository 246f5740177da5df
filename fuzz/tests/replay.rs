//! The properties hold for every file of the corpus. What a fuzzer once found is in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use volley_fuzz::{PROPERTIES, Property};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn replay((name, property): &(&str, Property)) {
    let folder = corpus().join(name);
    let files = names(&folder);
    assert!(files.len() > 2, "{name} has a corpus");
    for file in files {
        let bytes = fs::read(folder.join(&file)).unwrap();
        // The harness shows what a test printed where it fails: the last line is the file.
        println!("fuzz/corpus/{name}/{file}");
        property(&bytes);
    }
}

#[test]
fn every_property_holds_for_its_corpus() {
    PROPERTIES.iter().for_each(replay);
}

#[test]
fn every_property_holds_for_the_corpus_of_every_other_and_for_nothing() {
    for (_, property) in PROPERTIES {
        property(b"");
        for (other, _) in PROPERTIES {
            let folder = corpus().join(other);
            for file in names(&folder).iter().take(5) {
                println!("fuzz/corpus/{other}/{file}");
                property(&fs::read(folder.join(file)).unwrap());
            }
        }
    }
}

#[test]
fn every_property_has_a_fuzz_target_and_a_corpus_and_nothing_else_has() {
    let properties: BTreeSet<String> = PROPERTIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&corpus()), properties);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let targets = names(&manifest.join("fuzz_targets"));
    assert_eq!(targets.iter().map(|file| file.trim_end_matches(".rs").to_owned()).collect::<BTreeSet<_>>(), properties);
    let text = fs::read_to_string(manifest.join("Cargo.toml")).unwrap();
    for name in &properties {
        assert!(text.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "Cargo.toml has no target {name}");
    }
}
