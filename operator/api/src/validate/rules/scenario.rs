//! Rules of a scenario and of its sources.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Rule, Test, exactly_one, field, text};

/// Most bytes of an inline script.
const INLINE_BYTES: usize = 64 * 1024;

/// Every place of a script.
const SCRIPTS: &[&str] = &[
    "spec.scenario.jmeter.script",
    "spec.scenario.k6.script",
    "spec.scenario.locust.script",
    "spec.scenario.taurus.script",
];

/// Scheme, host (name, IPv4 or IPv6 in brackets) and port, nothing behind it.
const BASE_URL: &str = r"^https?://([A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$";

/// Options of k6 that change neither the load nor where its samples go. The worker allows the same ones; a test of it compares.
const K6_ARGUMENT: &str = r"^--((batch|batch-per-host|blacklist-ip|block-hostnames|compatibility-mode|dns|env|max-redirects|min-iteration-duration|rps|tag|user-agent)=[^\x00-\x1f\x7f]+|discard-response-bodies|insecure-skip-tls-verify|no-connection-reuse|no-setup|no-teardown|no-vu-connection-reuse|throw)$";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "http.baseUrl",
        at: &["spec.scenario.http.baseUrl"],
        test: Test::Text(BASE_URL),
        message: "write scheme, host and port without a path, for example https://shop.example.com or http://10.0.0.7:8080",
    },
    Rule {
        name: "requests.uniqueNames",
        at: &["spec.scenario.http.requests"],
        test: Test::Value {
            cel: "self.all(one, self.exists_one(other, other.name == one.name))",
            holds: names_are_unique,
        },
        message: "give each request a name of its own; the name is the label of its figures",
    },
    Rule {
        name: "request.name",
        at: &["spec.scenario.http.requests[].name"],
        test: Test::Text(r"^[^\x00-\x20\x7f\[]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"),
        message: "write a name without control characters, without a space at either end and without [ at its beginning, for example checkout",
    },
    Rule {
        name: "request.path",
        at: &["spec.scenario.http.requests[].path"],
        test: Test::Text(r"^/[^\x00-\x20\x7f#]*$"),
        message: "write a path that begins with /, without spaces (write %20) and without a fragment (#)",
    },
    Rule {
        name: "request.headerNames",
        at: &["spec.scenario.http.requests[].headers"],
        test: Test::Keys(r"^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,100}$"),
        message: "write header names of letters, digits and - such as Content-Type, at most 100 characters each",
    },
    Rule {
        name: "request.headerValues",
        at: &["spec.scenario.http.requests[].headers"],
        test: Test::Values(r"^[^\x00-\x08\x0a-\x1f\x7f]*$"),
        message: "write header values in one line, without control characters",
    },
    Rule {
        name: "request.body",
        at: &["spec.scenario.http.requests[]"],
        test: Test::Value {
            cel: r#"!has(self.body) || (has(self.method) && self.method in ["POST", "PUT", "PATCH", "DELETE"])"#,
            holds: |request| {
                field(request, "body").is_none()
                    || text(request, "method")
                        .is_some_and(|method| ["POST", "PUT", "PATCH", "DELETE"].contains(&method))
            },
        },
        message: "a body needs method POST, PUT, PATCH or DELETE; write method, or leave body out",
    },
    Rule {
        name: "request.bodyBytes",
        at: &["spec.scenario.http.requests[]"],
        test: Test::Value {
            cel: "!has(self.body) || bytes(self.body).size() <= 8192",
            holds: |request| text(request, "body").is_none_or(|body| body.len() <= 8192),
        },
        message: "a body may have at most 8 KiB (8192 bytes in UTF-8)",
    },
    Rule {
        name: "expect.something",
        at: &["spec.scenario.http.requests[].expect"],
        test: Test::Value {
            cel: "has(self.contains) || (has(self.status) && self.status.size() > 0)",
            holds: |expect| {
                !expect.is_object()
                    || field(expect, "contains").is_some()
                    || field(expect, "status").and_then(Value::as_array).is_some_and(|status| !status.is_empty())
            },
        },
        message: "write status, contains or both; without expect every code below 400 is a success",
    },
    Rule {
        name: "source.one",
        at: SCRIPTS,
        test: Test::Value {
            cel: "(has(self.inline) ? 1 : 0) + (has(self.configMap) ? 1 : 0) == 1",
            holds: |source| exactly_one(source, &["inline", "configMap"]),
        },
        message: "write exactly one of inline, configMap",
    },
    Rule {
        name: "source.inlineBytes",
        at: SCRIPTS,
        test: Test::Value {
            cel: "!has(self.inline) || bytes(self.inline).size() <= 65536",
            holds: |source| text(source, "inline").is_none_or(|inline| inline.len() <= INLINE_BYTES),
        },
        message: "an inline script may have at most 64 KiB (65536 bytes in UTF-8); put a larger one into a ConfigMap",
    },
    Rule {
        name: "source.configMapName",
        at: &[
            "spec.scenario.jmeter.script.configMap.name",
            "spec.scenario.k6.script.configMap.name",
            "spec.scenario.locust.script.configMap.name",
            "spec.scenario.taurus.script.configMap.name",
        ],
        test: Test::Text(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
        message: "write the name of a ConfigMap in the test's namespace: lower-case letters, digits, - and .",
    },
    Rule {
        name: "source.configMapKey",
        at: &[
            "spec.scenario.jmeter.script.configMap.key",
            "spec.scenario.k6.script.configMap.key",
            "spec.scenario.locust.script.configMap.key",
            "spec.scenario.taurus.script.configMap.key",
        ],
        test: Test::Text("^[-._a-zA-Z0-9]+$"),
        message: "write a key of the ConfigMap: letters, digits, -, _ and .",
    },
    Rule {
        name: "jmeter.propertyNames",
        at: &["spec.scenario.jmeter.properties"],
        test: Test::Keys("^[A-Za-z0-9_][-._A-Za-z0-9]{0,127}$"),
        message: "write property names of letters, digits, -, _ and ., at most 128 characters each",
    },
    Rule {
        name: "jmeter.propertyValues",
        at: &["spec.scenario.jmeter.properties"],
        test: Test::Values(r"^[^\x00-\x1f\x7f]*$"),
        message: "write property values in one line, without control characters",
    },
    Rule {
        name: "jmeter.reservedProperties",
        at: &["spec.scenario.jmeter.properties"],
        test: Test::Value {
            cel: r#"!self.exists(key, key.startsWith("jmeter.save.saveservice."))"#,
            holds: |properties| {
                properties
                    .as_object()
                    .is_none_or(|fields| !fields.keys().any(|key| key.starts_with("jmeter.save.saveservice.")))
            },
        },
        message: "leave out jmeter.save.saveservice.*: Volley sets how samples are written, because it reads them",
    },
    Rule {
        name: "k6.license",
        at: &["spec.scenario.k6.acceptLicense"],
        test: Test::Value { cel: "self", holds: |accepted| accepted.as_bool() != Some(false) },
        message: "k6 is licensed under AGPL-3.0 (https://www.gnu.org/licenses/agpl-3.0.html); write acceptLicense: true to use it, or choose another engine",
    },
    Rule {
        name: "k6.arguments",
        at: &["spec.scenario.k6.arguments[]"],
        test: Test::Text(K6_ARGUMENT),
        message: "write options of k6 in one piece, such as --env=HOST=shop.example.com; the field's description names which. Users, times and outputs are Volley's (spec.load)",
    },
];

fn names_are_unique(requests: &Value) -> bool {
    let mut seen = BTreeSet::new();
    let names = requests.as_array().into_iter().flatten().filter_map(|request| text(request, "name"));
    names.into_iter().all(|name| seen.insert(name))
}
