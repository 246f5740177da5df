//! Reads the file that a user hands to `volley run` or `volley validate`.
//!
//! Guarantees: documents keep their order; every document has `apiVersion`, `kind` and `metadata.name`; errors name the
//! document by its position, counted from 1.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

/// The largest file that is read, in bytes. etcd refuses objects above 1.5 MiB, so no usable file comes near.
pub const MAXIMUM_BYTES: u64 = 10 * 1024 * 1024;
/// The most documents of a file, `List` items counted one by one.
pub const MAXIMUM_DOCUMENTS: usize = 200;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error("cannot read {name}: {source}; give a file or - for standard input")]
    Unreadable {
        /// As the user wrote it.
        name: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is too large.
    #[error("{name} is larger than {} MiB; put scripts into ConfigMaps and only the manifests into this file", MAXIMUM_BYTES >> 20)]
    TooLarge {
        /// As the user wrote it.
        name: String,
    },
    /// It is not YAML or JSON.
    #[error("{name} is not valid YAML: {words}")]
    Malformed {
        /// As the user wrote it.
        name: String,
        /// The parser's words, with the place.
        words: String,
    },
    /// It holds no object.
    #[error("{name} holds no object; write a manifest with apiVersion, kind and metadata")]
    Empty {
        /// As the user wrote it.
        name: String,
    },
    /// It holds too many.
    #[error("{name} holds more than {MAXIMUM_DOCUMENTS} objects; split it")]
    TooMany {
        /// As the user wrote it.
        name: String,
    },
    /// A document lacks what every object has.
    #[error("document {position} of {name} has no {field}; every object needs apiVersion, kind and metadata.name")]
    FieldMissing {
        /// As the user wrote it.
        name: String,
        /// Counted from 1.
        position: usize,
        /// Which field.
        field: &'static str,
    },
}

/// One object of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// `group/version`, or `v1` of the core group.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, where it is given.
    pub namespace: Option<String>,
    /// Position in the file, counted from 1.
    pub position: usize,
    /// The whole object.
    pub value: Value,
}

impl Document {
    /// Whether it is of the given kind of Volley's API group, in whatever version.
    #[must_use]
    pub fn is_volley(&self, kind: &str) -> bool {
        self.kind == kind && self.api_version.split('/').next() == Some(volley_api::GROUP)
    }
}

/// Reads the objects of a file; `-` is standard input.
///
/// # Errors
/// [`ManifestError`], which names the file and what is wrong.
pub fn read(file: &Path) -> Result<Vec<Document>, ManifestError> {
    let name = file.display().to_string();
    let unreadable = |source| ManifestError::Unreadable { name: name.clone(), source };
    let mut bytes = Vec::new();
    if name == "-" {
        std::io::stdin().lock().take(MAXIMUM_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        let opened = std::fs::File::open(file).map_err(unreadable)?;
        opened.take(MAXIMUM_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if bytes.len() as u64 > MAXIMUM_BYTES {
        return Err(ManifestError::TooLarge { name });
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| ManifestError::Malformed { name: name.clone(), words: "it is not UTF-8 text".into() })?;
    parse(&name, &text)
}

/// The objects of a text; `name` stands in errors.
///
/// # Errors
/// [`ManifestError`], which names the file and what is wrong.
pub fn parse(name: &str, text: &str) -> Result<Vec<Document>, ManifestError> {
    let values: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| ManifestError::Malformed { name: name.to_owned(), words: error.to_string() })?;
    let values: Vec<Value> = values.into_iter().filter(|value| !value.is_null()).flat_map(list_items).collect();
    if values.is_empty() {
        return Err(ManifestError::Empty { name: name.to_owned() });
    }
    if values.len() > MAXIMUM_DOCUMENTS {
        return Err(ManifestError::TooMany { name: name.to_owned() });
    }
    values.into_iter().enumerate().map(|(place, value)| document(name, place + 1, value)).collect()
}

/// The items of a `List`, as `kubectl get -o yaml` writes it; anything else stays as it is.
fn list_items(value: Value) -> Vec<Value> {
    match value {
        Value::Object(mut map) if map.get("kind").and_then(Value::as_str) == Some("List") => {
            match map.remove("items") {
                Some(Value::Array(items)) => items,
                _ => vec![Value::Object(map)],
            }
        }
        other => vec![other],
    }
}

fn document(name: &str, position: usize, value: Value) -> Result<Document, ManifestError> {
    let missing = |field| ManifestError::FieldMissing { name: name.to_owned(), position, field };
    let empty = Map::new();
    let root = value.as_object().unwrap_or(&empty);
    let metadata = root.get("metadata").and_then(Value::as_object).unwrap_or(&empty);
    let text = |map: &Map<String, Value>, key: &str| {
        map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    Ok(Document {
        api_version: text(root, "apiVersion").ok_or_else(|| missing("apiVersion"))?,
        kind: text(root, "kind").ok_or_else(|| missing("kind"))?,
        name: text(metadata, "name").ok_or_else(|| missing("metadata.name"))?,
        namespace: text(metadata, "namespace"),
        position,
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: script, namespace: shop}
data: {locustfile.py: \"print(1)\"}
---
# nothing here
---
apiVersion: volley.dev/v1alpha1
kind: LoadTest
metadata:
  name: checkout
spec: {load: {usersPerWorker: 5}}
";

    #[test]
    fn documents_keep_their_order_and_empty_ones_do_not_count() {
        let documents = parse("f.yaml", TWO).unwrap();
        let seen: Vec<_> = documents
            .iter()
            .map(|document| (document.position, document.kind.as_str(), document.name.as_str()))
            .collect();
        assert_eq!(seen, [(1, "ConfigMap", "script"), (2, "LoadTest", "checkout")]);
        assert_eq!(documents[0].namespace.as_deref(), Some("shop"));
        assert!(documents[1].is_volley("LoadTest"));
        assert!(!documents[0].is_volley("ConfigMap"));
        assert_eq!(documents[1].value["spec"]["load"]["usersPerWorker"], 5);
    }

    #[test]
    fn the_items_of_a_list_are_documents_and_json_is_read_too() {
        let text = r#"{"apiVersion":"v1","kind":"List","items":[
            {"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}},
            {"apiVersion":"v1","kind":"Secret","metadata":{"name":"b"}}]}"#;
        let names: Vec<_> = parse("-", text).unwrap().into_iter().map(|document| document.name).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn what_is_missing_is_named_with_its_document() {
        for (text, expected) in [
            ("", "f.yaml holds no object"),
            ("---\n---\n", "f.yaml holds no object"),
            ("kind: A\nmetadata: {name: a}", "document 1 of f.yaml has no apiVersion"),
            ("apiVersion: v1\nmetadata: {name: a}", "document 1 of f.yaml has no kind"),
            ("apiVersion: v1\nkind: A\nmetadata: {generateName: a-}", "document 1 of f.yaml has no metadata.name"),
            ("apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\n7", "document 2 of f.yaml has no apiVersion"),
            ("a: [", "f.yaml is not valid YAML"),
            ("a: 1\na: 2", "f.yaml is not valid YAML"),
        ] {
            let error = parse("f.yaml", text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(Path::new("no/such/file.yaml")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read no/such/file.yaml: "), "{error}");
    }
}
