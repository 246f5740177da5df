//! Who may depend on whom. Dependencies point inward: `api` and `stats` know nobody of ours, `storage` knows only them, the
//! rest knows these three; only the binary and the programs for developers know everything.

use serde_json::Value;

/// A crate, the crates of ours that it may know, and libraries that it must not know.
struct Room {
    name: &'static str,
    may_know: &'static [&'static str],
    must_not_know: &'static [&'static str],
}

/// What a pure crate stays free of: runtimes, clients, files of others.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "reqwest",
    "axum",
    "aws-config",
    "aws-sdk-s3",
    "aws-sdk-dynamodb",
    "kube-client",
    "kube-runtime",
];

const ROOMS: &[Room] = &[
    Room { name: "volley-api", may_know: &[], must_not_know: IMPURE },
    Room { name: "volley-stats", may_know: &[], must_not_know: IMPURE },
    Room { name: "volley-storage", may_know: &["volley-api", "volley-stats"], must_not_know: &["kube-runtime"] },
    Room { name: "volley-controller", may_know: INNER, must_not_know: &[] },
    Room { name: "volley-collector", may_know: INNER, must_not_know: &["kube"] },
    Room { name: "volley-aggregator", may_know: INNER, must_not_know: &[] },
    Room { name: "volley", may_know: ALL, must_not_know: &[] },
    Room { name: "volley-fixtures", may_know: INNER, must_not_know: &[] },
    Room { name: "volley-acceptance", may_know: INNER, must_not_know: &[] },
    Room { name: "volley-simulation", may_know: OUTER, must_not_know: &[] },
    Room { name: "xtask", may_know: ALL, must_not_know: &[] },
];

const INNER: &[&str] = &["volley-api", "volley-stats", "volley-storage"];
const OUTER: &[&str] = &["volley-api", "volley-stats", "volley-storage", "volley-collector", "volley-fixtures"];
const ALL: &[&str] =
    &["volley-api", "volley-stats", "volley-storage", "volley-controller", "volley-collector", "volley-aggregator"];

/// Complaints about the packages that `cargo metadata` lists.
pub(crate) fn complaints(packages: &[Value]) -> Vec<String> {
    let ours: Vec<_> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            complaints
                .push(format!("crate {name} has no place in the graph; add it to operator/xtask/src/check/crates.rs"));
            continue;
        };
        // What only tests or a build script use does not end up in the crate.
        let dependencies = package["dependencies"].as_array().into_iter().flatten().filter(|one| one["kind"].is_null());
        for dependency in dependencies {
            let other = dependency["name"].as_str().unwrap_or_default();
            if ours.contains(&other) && !room.may_know.contains(&other) {
                complaints.push(format!("crate {name} depends on {other}; dependencies point inward, so move what it needs into a crate that both know"));
            }
            if room.must_not_know.contains(&other) {
                complaints.push(format!("crate {name} depends on {other}; it is to stay free of runtimes and clients"));
            }
            let features = dependency["features"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let has_client = features.into_iter().any(|feature| feature == "client" || feature == "runtime");
            if other == "kube" && has_client && room.must_not_know.contains(&"kube-client") {
                complaints.push(format!("crate {name} uses the client of kube; it may use its derive only"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, dependencies: &[(&str, Option<&str>, &[&str])]) -> Value {
        let dependencies: Vec<_> = dependencies
            .iter()
            .map(|(name, kind, features)| json!({"name": name, "kind": kind, "features": features}))
            .collect();
        json!({"name": name, "dependencies": dependencies})
    }

    #[test]
    fn a_dependency_that_points_outward_is_named() {
        let packages = [package("volley-api", &[]), package("volley-stats", &[("volley-api", None, &[])])];
        let complaints = complaints(&packages);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].contains("volley-stats depends on volley-api"), "{complaints:?}");
    }

    #[test]
    fn what_only_tests_use_is_free() {
        let packages = [package("volley-api", &[("tokio", Some("dev"), &[]), ("kube", Some("dev"), &["client"])])];
        assert_eq!(complaints(&packages), Vec::<String>::new());
    }

    #[test]
    fn a_pure_crate_with_a_runtime_or_a_client_is_named() {
        let packages = [package("volley-api", &[("tokio", None, &[]), ("kube", None, &["client"])])];
        assert_eq!(complaints(&packages).len(), 2);
    }

    #[test]
    fn a_crate_without_a_place_is_named() {
        assert!(complaints(&[package("volley-new", &[])])[0].contains("volley-new has no place"));
    }
}
