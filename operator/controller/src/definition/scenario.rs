//! The scenario of a spec as the frozen document writes it: defaults resolved, sources by digest.

use std::collections::BTreeMap;

use volley_api::load_test::{Expect, HttpMethod, HttpRequest, Scenario, Source};
use volley_api::taurus::TaurusConfiguration;
use volley_storage::documents;

use super::{Contents, Problem, sources};

/// The scenario with a worker's users, and the bytes of its sources by SHA-256. A region with users of its own is told how they are
/// shared.
pub(super) fn convert(
    scenario: &Scenario,
    users_per_worker: u32,
    regions: &mut [documents::Region],
    namespace: &str,
    contents: &Contents,
) -> Result<(documents::Scenario, BTreeMap<String, Vec<u8>>), Problem> {
    let mut bytes = BTreeMap::new();
    let mut resolve = |source: &Source| {
        let (reference, content) = sources::resolve(source, namespace, contents)?;
        bytes.insert(reference.sha256.clone(), content);
        Ok::<_, Problem>(reference)
    };
    let converted = match scenario {
        Scenario::Http(http) => documents::Scenario::Http {
            base_url: http.base_url.clone(),
            requests: http.requests.iter().map(request).collect(),
        },
        Scenario::Jmeter(jmeter) => {
            documents::Scenario::Jmeter { script: resolve(&jmeter.script)?, properties: jmeter.properties.clone() }
        }
        Scenario::K6(k6) if !k6.accept_license => {
            return Err(Problem::Invalid {
                message: "spec.scenario.k6.acceptLicense is false; write true to accept k6's licence, AGPL-3.0, or choose another engine"
                    .to_owned(),
            });
        }
        Scenario::K6(k6) => documents::Scenario::K6 { script: resolve(&k6.script)?, arguments: k6.arguments.clone() },
        Scenario::Locust(locust) => documents::Scenario::Locust { script: resolve(&locust.script)? },
        Scenario::Taurus(taurus) => {
            let (script, content) = sources::resolve(&taurus.script, namespace, contents)?;
            let configuration = TaurusConfiguration::read(&content)
                .map_err(|unusable| Problem::invalid(format!("the Taurus configuration cannot be run: {unusable}")))?;
            let executions = executions(&configuration, users_per_worker)?;
            for region in regions {
                if let Some(users) = region.users_per_worker {
                    region.execution_users = configuration.shares(users).map_err(|error| {
                        Problem::invalid(format!(
                            "spec.regions: usersPerWorker of {} is too small: {error}",
                            region.target
                        ))
                    })?;
                }
            }
            bytes.insert(script.sha256.clone(), content);
            documents::Scenario::Taurus { script, executions }
        }
    };
    if let documents::Scenario::Http { requests, .. } = &converted
        && requests.is_empty()
    {
        return Err(Problem::Invalid {
            message: "spec.scenario.http.requests is empty; write at least one request".to_owned(),
        });
    }
    Ok((converted, bytes))
}

/// The executions of a Taurus configuration, each with its users.
fn executions(configuration: &TaurusConfiguration, users: u32) -> Result<Vec<documents::TaurusExecution>, Problem> {
    let shares = configuration
        .shares(users)
        .map_err(|error| Problem::invalid(format!("spec.load.usersPerWorker is too small: {error}")))?;
    let executors = configuration.executions().iter().map(|execution| execution.executor.as_str().to_owned());
    Ok(executors.zip(shares).map(|(executor, users)| documents::TaurusExecution { executor, users }).collect())
}

fn request(request: &HttpRequest) -> documents::RequestStep {
    documents::RequestStep {
        name: request.name.clone(),
        method: method(request.method.unwrap_or_default()).to_owned(),
        path: request.path.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        think_time_ms: request.think_time.as_ref().map(volley_api::Duration::milliseconds),
        expect: request.expect.as_ref().map(expect),
    }
}

fn expect(expect: &Expect) -> documents::Assertion {
    documents::Assertion {
        status: expect.status.iter().map(ToString::to_string).collect(),
        contains: expect.contains.clone(),
    }
}

fn method(method: HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Head => "HEAD",
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Delete => "DELETE",
        HttpMethod::Options => "OPTIONS",
    }
}
