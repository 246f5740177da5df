//! The manifests that a user starts from are what the API server accepts.

use serde_json::Value;
use volley_api::crd::Kind;
use volley_api::validate::Validator;

/// Complaints about one file of manifests. Files that are no YAML are none of ours.
pub(crate) fn complaints(validator: &Validator, path: &str, text: &str) -> Vec<String> {
    if path.rsplit_once('.').is_none_or(|(_, ending)| ending != "yaml") {
        return Vec::new();
    }
    let documents: Vec<Value> = match serde_saphyr::from_multiple(text) {
        Ok(documents) => documents,
        Err(error) => return vec![format!("{path}: it is not YAML: {error}")],
    };
    let mut complaints = Vec::new();
    for document in documents {
        let is_ours = document["apiVersion"].as_str().is_some_and(|version| version.starts_with(volley_api::GROUP));
        let kind = document["kind"].as_str().unwrap_or_default();
        match Kind::named(kind) {
            Some(kind) if is_ours => {
                complaints
                    .extend(validator.check(kind, &document).iter().map(|violation| format!("{path}: {violation}")));
            }
            None if is_ours => complaints.push(format!("{path}: there is no kind {kind:?}")),
            Some(_) | None => {}
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_the_api_server_would_refuse_is_named() {
        let validator = Validator::new().unwrap();
        let text = "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: volley.dev/v1alpha1\nkind: LoadTestRun\nmetadata: {name: a}\nspec: {loadTst: a}\n";
        let complaints = complaints(&validator, "examples/a.yaml", text);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].contains("spec.loadTest") && complaints[1].contains("spec.loadTst"));
    }
}
