//! Makes the files that follow from the code, and tells where a checked-in one differs.

use std::collections::BTreeMap;

use serde_json::Value;
use volley_api::crd::{self, Kind};

use crate::repository::{Error, Repository};
use crate::{argocd, reference};

/// How the files are made; it stands in each of them and in the words about drift.
pub(crate) const COMMAND: &str = "cargo xtask generate";
/// Where the golden CRDs are.
const CRDS: &str = "crds";
/// Charts with copies of the CRDs, where the chart exists: folder, and whether Helm would delete them with the release.
const COPIES: [(&str, &str, bool); 2] = [("charts/volley", "crds", false), ("charts/volley-crds", "templates", true)];

/// A file that follows from the code.
struct Generated {
    path: String,
    content: String,
}

/// Writes all files; says what changed. No complaint ever.
pub(crate) fn write(repository: &Repository) -> Result<Vec<String>, Error> {
    for Generated { path, content } in generated(repository)? {
        if repository.read(&path)?.as_ref() == Some(&content) {
            continue;
        }
        let target = repository.path(&path);
        let failed = |source| Error::File { path: target.clone(), source };
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(&target, content).map_err(failed)?;
        println!("wrote {path}");
    }
    Ok(Vec::new())
}

/// One complaint for each file that is not what the code says.
pub(crate) fn drift(repository: &Repository) -> Result<Vec<String>, Error> {
    let files = generated(repository)?;
    let mut complaints = Vec::new();
    for Generated { path, content } in &files {
        match repository.read(path)? {
            None => complaints.push(format!("{path} is missing; run {COMMAND} and commit it")),
            Some(found) if found != *content => {
                let line = 1 + found.lines().zip(content.lines()).take_while(|(one, other)| one == other).count();
                complaints
                    .push(format!("{path} differs from the code from line {line} on; run {COMMAND} and commit it"));
            }
            Some(_) => {}
        }
    }
    for name in repository.files()? {
        let is_known = files.iter().any(|file| file.path == name);
        if name.starts_with("crds/") && !is_known {
            complaints.push(format!("{name} is made by nothing; remove it"));
        }
    }
    Ok(complaints)
}

fn generated(repository: &Repository) -> Result<Vec<Generated>, Error> {
    let mut files = Vec::new();
    for kind in Kind::ALL {
        let crd = crd::crd(kind)?;
        let name = format!("{}.yaml", crd.metadata.name.clone().unwrap_or_default());
        let value = plain(serde_json::to_value(&crd).map_err(|error| Error::Yaml(error.to_string()))?);
        files.push(Generated { path: format!("{CRDS}/{name}"), content: yaml(&value)? });
        for (chart, folder, deleted) in COPIES {
            if repository.path(chart).is_dir() {
                let content = yaml(&if deleted { kept(value.clone()) } else { value.clone() })?;
                files.push(Generated { path: format!("{chart}/{folder}/{name}"), content });
            }
        }
    }
    files.push(Generated { path: "docs/reference/objects.md".into(), content: reference::objects()? });
    if let Some(content) = argocd::config_map(repository)? {
        files.push(Generated { path: argocd::CONFIG_MAP.into(), content });
    }
    Ok(files)
}

fn yaml(value: &Value) -> Result<String, Error> {
    let body = serde_saphyr::to_string(value).map_err(|error| Error::Yaml(error.to_string()))?;
    Ok(format!("# Made by `{COMMAND}`. Do not edit.\n{}\n", body.trim_end()))
}

/// A CRD that stays when its release is uninstalled: with it all objects of its kind would go, and their runs' results with them.
fn kept(mut crd: Value) -> Value {
    crd["metadata"]["annotations"]["helm.sh/resource-policy"] = "keep".into();
    crd
}

/// The same document on every machine: keys sorted whatever the map type that a build chose, whole numbers without a point.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.into_iter().collect();
            Value::Object(sorted.into_iter().map(|(key, value)| (key, plain(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        Value::Number(number) => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15);
            match whole.and_then(|number| format!("{number:.0}").parse::<i64>().ok()) {
                Some(whole) => Value::from(whole),
                None => Value::Number(number),
            }
        }
        other @ (Value::Null | Value::Bool(_) | Value::String(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_in_is_what_the_code_says() {
        assert_eq!(drift(&Repository::here().unwrap()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_missing_and_a_changed_file_are_named_with_the_command() {
        let folder = tempfile::tempdir().unwrap();
        std::process::Command::new("git").args(["init", "-q"]).current_dir(folder.path()).status().unwrap();
        let repository = Repository::at(folder.path()).unwrap();
        write(&repository).unwrap();
        assert_eq!(drift(&repository).unwrap(), Vec::<String>::new());
        let path = "crds/loadtests.volley.dev.yaml";
        let text = repository.read(path).unwrap().unwrap();
        std::fs::write(repository.path(path), text.replace("maximum: 100", "maximum: 101")).unwrap();
        std::fs::remove_file(repository.path("docs/reference/objects.md")).unwrap();
        std::fs::write(repository.path("crds/stray.yaml"), "").unwrap();
        let complaints = drift(&repository).unwrap();
        assert_eq!(complaints.len(), 3, "{complaints:?}");
        for (complaint, words) in
            complaints.iter().zip([path, "docs/reference/objects.md is missing", "crds/stray.yaml"])
        {
            assert!(complaint.contains(words), "{complaint}");
        }
        assert!(complaints[0].contains(COMMAND));
    }

    #[test]
    fn no_crd_holds_what_a_chart_would_take_for_a_template() {
        for file in
            generated(&Repository::here().unwrap()).unwrap().iter().filter(|file| file.path.starts_with("crds/"))
        {
            assert!(!file.content.contains("{{"), "{}", file.path);
        }
    }
}
