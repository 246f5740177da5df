//! `gitops/argocd/argocd-cm.yaml`: what Argo CD's own ConfigMap needs, from the Lua scripts. The scripts lie as Argo CD's own do
//! (`<group>/<kind>/health.lua`, `actions/discovery.lua`, `actions/<name>/action.lua`), so that they could move there.

use std::fmt::Write as _;

use volley_api::GROUP;
use volley_api::crd::Kind;

use crate::generate::COMMAND;
use crate::repository::{Error, Repository};

/// The file that is made.
pub(crate) const CONFIG_MAP: &str = "gitops/argocd/argocd-cm.yaml";
/// Where the scripts are.
const SCRIPTS: &str = "gitops/argocd/volley.dev";

/// The ConfigMap; `None`: the checkout has no scripts.
pub(crate) fn config_map(repository: &Repository) -> Result<Option<String>, Error> {
    if !repository.path(SCRIPTS).is_dir() {
        return Ok(None);
    }
    let mut text = format!(
        "# Made by `{COMMAND}` from the scripts in {SCRIPTS}. Do not edit.\n# Health and actions of Volley's objects, for Argo CD. \
         Add it to the ConfigMap that is there:\n#   kubectl patch configmap argocd-cm --namespace argocd --patch-file {CONFIG_MAP}\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\n  labels: {{app.kubernetes.io/part-of: argocd}}\ndata:\n"
    );
    for kind in Kind::ALL {
        let folder = format!("{SCRIPTS}/{}", kind.as_str());
        let key = format!("{GROUP}_{}", kind.as_str());
        if let Some(script) = repository.read(&format!("{folder}/health.lua"))? {
            let _ = write!(text, "  resource.customizations.health.{key}: |\n{}", indented(&script, 4));
        }
        let Some(discovery) = repository.read(&format!("{folder}/actions/discovery.lua"))? else { continue };
        let discovery = indented(&discovery, 6);
        let _ = write!(
            text,
            "  resource.customizations.actions.{key}: |\n    discovery.lua: |\n{discovery}    definitions:\n"
        );
        for (name, script) in actions(repository, &folder)? {
            let _ = write!(text, "    - name: {name}\n      action.lua: |\n{}", indented(&script, 8));
        }
    }
    Ok(Some(text))
}

/// Name and script of each action, sorted.
fn actions(repository: &Repository, folder: &str) -> Result<Vec<(String, String)>, Error> {
    let path = repository.path(&format!("{folder}/actions"));
    let failed = |source| Error::File { path: path.clone(), source };
    let mut actions = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_type().map_err(failed)?.is_dir() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(script) = repository.read(&format!("{folder}/actions/{name}/action.lua"))? {
            actions.push((name, script));
        }
    }
    actions.sort();
    Ok(actions)
}

/// A block of YAML's literal style: each line moved in, empty ones left empty.
fn indented(script: &str, columns: usize) -> String {
    let mut block = String::new();
    for line in script.trim_end().lines() {
        let indent = if line.is_empty() { 0 } else { columns };
        let _ = writeln!(block, "{:indent$}{line}", "");
    }
    block
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_argo_cd_reads_is_each_script_to_the_byte() {
        let repository = Repository::here().unwrap();
        let map: Value = serde_saphyr::from_str(&config_map(&repository).unwrap().unwrap()).unwrap();
        for kind in Kind::ALL {
            let script = |name: &str| repository.read(&format!("{SCRIPTS}/{}/{name}", kind.as_str())).unwrap();
            let health = &map["data"][format!("resource.customizations.health.volley.dev_{}", kind.as_str())];
            assert_eq!(health.as_str().map(str::to_owned), script("health.lua"));
            let Some(discovery) = script("actions/discovery.lua") else { continue };
            let actions = &map["data"][format!("resource.customizations.actions.volley.dev_{}", kind.as_str())];
            let actions: Value = serde_saphyr::from_str(actions.as_str().unwrap()).unwrap();
            assert_eq!(actions["discovery.lua"], discovery);
            for action in actions["definitions"].as_array().unwrap() {
                let name = action["name"].as_str().unwrap();
                assert!(discovery.contains(&format!("actions[\"{name}\"]")), "{name} is not discovered");
                assert_eq!(
                    action["action.lua"].as_str().map(str::to_owned),
                    script(&format!("actions/{name}/action.lua"))
                );
            }
        }
    }
}
