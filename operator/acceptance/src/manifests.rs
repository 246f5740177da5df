//! Manifests of the tests: the examples under other names, and broken ones.

/// Text of an example of the repository.
#[must_use]
pub fn example(name: &str) -> String {
    let path = format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// An example whose LoadTest has another name and keeps its raw samples.
#[must_use]
pub fn measured(example_name: &str, old_name: &str, name: &str, hold_for: &str) -> String {
    let text = example(example_name)
        .replace(&format!("metadata:\n  name: {old_name}\n"), &format!("metadata:\n  name: {name}\n"))
        .replace("holdFor: 10s", &format!("holdFor: {hold_for}"));
    assert!(
        text.contains(&format!("name: {name}\n")) && text.contains(&format!("holdFor: {hold_for}")),
        "the example has changed"
    );
    format!("{}\n  artifacts: {{samples: true}}\n", text.trim_end())
}

/// A Locust test with an inline script, two workers, for some seconds.
#[must_use]
pub fn locust(name: &str, script: &str, hold_for: &str, trigger: &str) -> String {
    let indented = script.lines().map(|line| format!("          {line}")).collect::<Vec<_>>().join("\n");
    format!(
        "apiVersion: volley.dev/v1alpha1
kind: LoadTest
metadata: {{name: {name}, namespace: default}}
spec:
  scenario:
    locust:
      script:
        inline: |
{indented}
  load: {{usersPerWorker: 3, holdFor: {hold_for}}}
  regions: [{{target: local, workers: 2}}]
  trigger: {trigger}
  artifacts: {{samples: true}}
  worker:
    resources:
      requests: {{cpu: 100m, memory: 256Mi}}
      limits: {{memory: 512Mi}}
"
    )
}

/// A Locust test over several regions that aims at an address which all of them reach, with its raw samples kept.
/// `policy` is further YAML of the spec, indented by two spaces.
#[must_use]
pub fn over_regions(name: &str, address: &str, hold_for: &str, regions: &[(&str, u32)], policy: &str) -> String {
    let script = VISITOR.replace("volley-target.default.svc", address).replace("constant(0.05)", "constant(0.2)");
    let regions: Vec<_> =
        regions.iter().map(|(target, workers)| format!("{{target: {target}, workers: {workers}}}")).collect();
    let text = locust(name, &script, hold_for, "Once")
        .replace("[{target: local, workers: 2}]", &format!("[{}]", regions.join(", ")));
    format!("{text}{policy}")
}

/// A Locust file that works.
pub const VISITOR: &str = r#"from locust import HttpUser, constant, task


class Visitor(HttpUser):
    host = "http://volley-target.default.svc"
    wait_time = constant(0.05)

    @task
    def home(self):
        self.client.get("/", name="home")
"#;

/// A Locust file that Python refuses, in line 4.
pub const SYNTAX_ERROR: &str = r"from locust import HttpUser


class Visitor(HttpUser:
    pass
";

/// A JMeter test whose JMX is well formed and names a class that JMeter does not have.
#[must_use]
pub fn unknown_class(name: &str) -> String {
    let text = example("jmeter.yaml")
        .replace("catalogue-script", name)
        .replace("name: catalogue\n", &format!("name: {name}\n"));
    let broken = text
        .replace("<ConstantTimer ", "<com.example.NoSuchTimer ")
        .replace("</ConstantTimer>", "</com.example.NoSuchTimer>")
        .replace("testclass=\"ConstantTimer\"", "testclass=\"com.example.NoSuchTimer\"");
    assert_ne!(text, broken, "the example has changed");
    broken
}
