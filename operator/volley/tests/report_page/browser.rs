//! Chromium, driven through two pipes: it takes commands from descriptor 3 and gives answers and events to descriptor 4, each a text of
//! JSON that ends with a zero byte. So no port is opened, and no program stands between. Source: Chrome `DevTools` Protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>), switch `--remote-debugging-pipe`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Names Chromium's program.
const VARIABLE: &str = "VOLLEY_CHROMIUM";
/// An answer comes within this time, on a busy machine too.
const PATIENCE: Duration = Duration::from_mins(1);
/// What Chromium would ask of its maker's servers by itself is off: the tests use no network.
const SWITCHES: [&str; 12] = [
    "--headless",
    "--remote-debugging-pipe",
    // Tests run as root, in a container too.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--mute-audio",
    "--proxy-server=127.0.0.1:9",
];
/// The shell gives the pipes the numbers that Chromium expects.
const PIPES: &str = r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#;

/// A browser with a new profile. It ends when it is dropped.
pub(crate) struct Browser {
    process: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    number: u64,
    /// Events of pages that nobody has asked for yet.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let program = std::env::var(VARIABLE).unwrap_or_else(|_| panic!("{VARIABLE} does not name Chromium's program"));
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new("/bin/sh")
            .args(["-c", PIPES, &program])
            .args(SWITCHES)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            loop {
                let mut text = Vec::new();
                if answers.read_until(0, &mut text).unwrap_or(0) == 0 {
                    return;
                }
                text.pop();
                let message = serde_json::from_slice(&text).expect("Chromium speaks JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self { process, commands, messages, number: 0, events: Vec::new(), _profile: profile }
    }

    /// Opens a file in a page of that width, in CSS pixels, whose reader prefers a scheme of colours: `light` or `dark`.
    pub(crate) fn open(&mut self, file: &Path, scheme: &str, width: u32) -> Page<'_> {
        let target = self.call(None, "Target.createTarget", &json!({"url": "about:blank"}));
        let target = target["targetId"].as_str().unwrap().to_owned();
        let attached = self.call(None, "Target.attachToTarget", &json!({"targetId": target, "flatten": true}));
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        let address = format!("file://{}", file.display());
        let mut page = Page { browser: self, target, session };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), &json!({}));
        }
        let preferred = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        page.call("Emulation.setEmulatedMedia", &preferred);
        page.call("Emulation.setFocusEmulationEnabled", &json!({"enabled": true}));
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        page.call("Emulation.setDeviceMetricsOverride", &metrics);
        page.call("Page.navigate", &json!({"url": address}));
        page.wait_for("Page.loadEventFired");
        page
    }

    /// Hands over a command and waits for its answer.
    fn call(&mut self, session: Option<&str>, method: &str, parameters: &Value) -> Value {
        self.number += 1;
        let mut command = json!({"id": self.number, "method": method, "params": parameters});
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).expect("Chromium takes commands");
        self.commands.flush().unwrap();
        loop {
            let message = self.receive(method);
            if message["id"] == self.number {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn receive(&self, awaited: &str) -> Value {
        self.messages
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("no answer of Chromium to {awaited}: {error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A test that fails has a message of its own; nothing here hides it.
        let _ = self.commands.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A page that is open. It closes when it is dropped.
pub(crate) struct Page<'a> {
    browser: &'a mut Browser,
    target: String,
    session: String,
}

impl Page<'_> {
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.browser.call(Some(&self.session), method, parameters)
    }

    fn wait_for(&mut self, event: &str) {
        let is_it = |message: &Value| message["method"] == event && message["sessionId"] == self.session.as_str();
        while !self.browser.events.iter().any(is_it) {
            let message = self.browser.receive(event);
            self.browser.events.push(message);
        }
    }

    /// The value of a JavaScript expression.
    pub(crate) fn evaluate<T: DeserializeOwned>(&mut self, expression: &str) -> T {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &parameters);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        serde_json::from_value(answer["result"]["value"].clone())
            .unwrap_or_else(|error| panic!("{expression} is {}: {error}", answer["result"]))
    }

    /// Clicks in the middle of the first element of a selector, with the mouse.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = format!(
            "(() => {{ const element = document.querySelector({selector:?}); element.scrollIntoView({{block: 'center'}}); \
             const box = element.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let (x, y): (f64, f64) = self.evaluate(&place);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Presses a key that writes nothing.
    pub(crate) fn press(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", &json!({"type": kind, "key": key, "code": key}));
        }
    }

    /// Writes a text where the focus is.
    pub(crate) fn write(&mut self, text: &str) {
        self.call("Input.insertText", &json!({"text": text}));
    }

    /// Addresses that were asked for so far.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        let of_events = |event: &Value| {
            (event["method"] == "Network.requestWillBeSent")
                .then(|| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned())
        };
        self.own_events().filter_map(of_events).collect()
    }

    /// What the page or the browser said on the console so far, and exceptions that nobody caught. Nothing is well.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        const METHODS: [&str; 3] = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        let is_one = |event: &&Value| METHODS.iter().any(|method| event["method"] == *method);
        self.own_events().filter(is_one).map(|event| event["params"].to_string()).collect()
    }

    /// Events so far; whatever the page has caused before is among them.
    fn own_events(&mut self) -> impl Iterator<Item = &Value> {
        let _: u32 = self.evaluate("1");
        self.browser.events.iter().filter(|event| event["sessionId"] == self.session.as_str())
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            let target = json!({"targetId": self.target});
            self.browser.call(None, "Target.closeTarget", &target);
            self.browser.events.clear();
        }
    }
}
