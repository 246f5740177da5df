//! What the virtual users do.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;

/// What the virtual users do. Exactly one of http, jmeter, k6, locust, taurus.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Scenario {
    /// A list of requests, run by JMeter.
    Http(HttpScenario),
    /// A test plan of JMeter (JMX).
    Jmeter(JmeterScenario),
    /// A script of k6: each virtual user runs its default function, over and over. The script's own scenarios, stages and thresholds
    /// do not count, and the result says so; iterations under way at the end of the load are completed, for 30 s at most.
    K6(K6Scenario),
    /// A Locust file.
    Locust(LocustScenario),
    /// A Taurus configuration of your own.
    Taurus(TaurusScenario),
}

/// A list of requests, run by JMeter.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpScenario {
    /// Scheme, host and port without a path, for example `https://shop.example.com`.
    #[schemars(length(min = 1, max = 512))]
    pub base_url: String,
    /// The requests of one iteration, in order, 1 to 100.
    #[schemars(length(min = 1, max = 100), extend("x-kubernetes-list-type" = "atomic"))]
    pub requests: Vec<HttpRequest>,
}

/// One request.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRequest {
    /// Unique name; the label of its samples.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// Method. Absent: GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// Path with its query, appended to the base URL. Begins with /.
    #[schemars(length(min = 1, max = 2048))]
    pub path: String,
    /// Request headers, at most 20.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20, "additionalProperties" = {"type": "string", "maxLength": 1024}))]
    pub headers: BTreeMap<String, String>,
    /// Request body, at most 8 KiB. Only with the methods POST, PUT, PATCH and DELETE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub body: Option<String>,
    /// Pause after the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think_time: Option<Duration>,
    /// What counts as a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// HTTP method.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum HttpMethod {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

/// What counts as a success.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expect {
    /// Accepted status codes (200) or classes (2xx). Absent: every code below 400.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "atomic"))]
    pub status: Vec<crate::status_code::StatusPattern>,
    /// Text that the body must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub contains: Option<String>,
}

/// A test plan of JMeter (JMX).
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JmeterScenario {
    /// The JMX.
    pub script: Source,
    /// JMeter properties, at most 50; the script reads them by `${__P(name)}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50, "additionalProperties" = {"type": "string", "maxLength": 1024}))]
    pub properties: BTreeMap<String, String>,
}

/// A script of k6.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct K6Scenario {
    /// The script (JavaScript).
    pub script: Source,
    /// Options for k6, at most 30, each in one piece: --env=NAME=value (read by `__ENV.NAME`), and batch, batch-per-host, blacklist-ip,
    /// block-hostnames, compatibility-mode, dns, max-redirects, min-iteration-duration, rps (of each worker), tag, user-agent with a value;
    /// discard-response-bodies, insecure-skip-tls-verify, no-connection-reuse, no-setup, no-teardown, no-vu-connection-reuse, throw without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 30),
        inner(length(min = 1, max = 1024)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub arguments: Vec<String>,
    /// true: you accept k6's licence, AGPL-3.0. k6 is a program of its own beside Volley in the worker image.
    pub accept_license: bool,
}

/// A Locust file.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocustScenario {
    /// The Locust file.
    pub script: Source,
}

/// A Taurus configuration of your own, with one or more executions.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaurusScenario {
    /// The configuration, YAML or JSON. Users, ramp-up and duration come from `load`: the executions share the users in the
    /// proportion of their `concurrency`, and all of them take rampUp and holdFor.
    pub script: Source,
}

/// Where a script comes from. Exactly one of inline, configMap.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The text itself, at most 64 KiB.
    Inline(#[schemars(length(min = 1, max = 65536))] String),
    /// A key of a ConfigMap in the same namespace.
    ConfigMap(ConfigMapSource),
}

/// A key of a ConfigMap.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMapSource {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}
