//! The `http` scenario: a list of requests that Taurus turns into a JMX.

use serde_json::{Map, Value, json};
use volley_storage::documents::{Assertion, RequestStep};

use super::InvalidDefinition;

/// How long a request may take to connect, and then to answer, before it counts as failed.
const REQUEST_TIMEOUT: &str = "30s";

pub(super) fn scenario(base_url: &str, requests: &[RequestStep]) -> Result<Value, InvalidDefinition> {
    printable("baseUrl", base_url)?;
    let mut steps = Vec::with_capacity(requests.len());
    for request in requests {
        steps.push(step(base_url, request)?);
        if let Some(milliseconds) = request.think_time_ms.filter(|milliseconds| *milliseconds > 0) {
            // Not `think-time`: that becomes a JMeter timer, which waits before its request.
            steps.push(
                json!({"action": "pause", "target": "current-thread", "pause-duration": format!("{milliseconds}ms")}),
            );
        }
    }
    Ok(json!({
        "requests": steps,
        "keepalive": true,
        "timeout": REQUEST_TIMEOUT,
        "content-encoding": "UTF-8",
        "store-cookie": true,
        // JMeter's cache answers without a request, its parser of HTML makes requests that nobody listed, and its DNS cache
        // asks the resolver once per iteration of each user. The Java machine's own cache holds an answer for 30 s.
        "store-cache": false,
        "retrieve-resources": false,
        "use-dns-cache-mgr": false,
    }))
}

fn step(base_url: &str, request: &RequestStep) -> Result<Value, InvalidDefinition> {
    let field = |name: &str| format!("request {:?}, {name}", request.name.chars().take(100).collect::<String>());
    printable(&field("name"), &request.name)?;
    printable(&field("path"), &request.path)?;
    printable(&field("method"), &request.method)?;
    let mut step = Map::new();
    step.insert("label".into(), json!(request.name));
    step.insert("url".into(), json!(format!("{}{}", base_url.trim_end_matches('/'), request.path)));
    step.insert("method".into(), json!(request.method));
    for (name, value) in &request.headers {
        printable(&field(&format!("header {name:?}")), name)?;
        printable(&field(&format!("header {name:?}")), value)?;
    }
    if !request.headers.is_empty() {
        step.insert("headers".into(), json!(request.headers));
    }
    if let Some(body) = &request.body {
        printable_text(&field("body"), body)?;
        step.insert("body".into(), json!(body));
    }
    if let Some(expect) = &request.expect {
        expectation(expect, &field("expect"), &mut step)?;
    }
    Ok(Value::Object(step))
}

fn expectation(expect: &Assertion, field: &str, step: &mut Map<String, Value>) -> Result<(), InvalidDefinition> {
    let mut assertions = Vec::new();
    if !expect.status.is_empty() {
        let mut alternatives = Vec::with_capacity(expect.status.len());
        let mut redirect = false;
        for pattern in &expect.status {
            let alternative = status_expression(pattern).ok_or_else(|| InvalidDefinition::Status {
                field: field.to_owned(),
                pattern: pattern.chars().take(20).collect(),
            })?;
            redirect |= alternative.starts_with('3');
            alternatives.push(alternative);
        }
        // One expression, because JMeter wants all of several to match. `assume-success` first makes every answer a success,
        // 404 too, and then the expression decides; it must stand before the other assertions.
        assertions.push(json!({
            "subject": "http-code",
            "contains": [format!("^({})$", alternatives.join("|"))],
            "regexp": true,
            "assume-success": true,
        }));
        if redirect {
            // Who expects a redirect wants to see it, not the page behind it.
            step.insert("follow-redirects".into(), json!(false));
        }
    }
    if let Some(text) = &expect.contains {
        printable_text(&format!("{field}.contains"), text)?;
        assertions.push(json!({"subject": "body", "contains": [text], "regexp": false}));
    }
    if !assertions.is_empty() {
        step.insert("assert".into(), Value::Array(assertions));
    }
    Ok(())
}

/// `404` stays, `2xx` becomes `2[0-9][0-9]`.
fn status_expression(pattern: &str) -> Option<String> {
    let bytes = pattern.as_bytes();
    let [first @ b'1'..=b'5', second, third] = bytes else { return None };
    match (second, third) {
        (b'x' | b'X', b'x' | b'X') => Some(format!("{}[0-9][0-9]", char::from(*first))),
        (b'0'..=b'9', b'0'..=b'9') => Some(pattern.to_owned()),
        _ => None,
    }
}

/// No control characters at all: names, headers and addresses are one line.
fn printable(field: &str, text: &str) -> Result<(), InvalidDefinition> {
    refuse(field, text, |character| character.is_control() || !is_xml(character))
}

/// Text that XML can carry: line ends and tabs too.
fn printable_text(field: &str, text: &str) -> Result<(), InvalidDefinition> {
    refuse(field, text, |character| !is_xml(character))
}

fn refuse(field: &str, text: &str, wrong: impl Fn(char) -> bool) -> Result<(), InvalidDefinition> {
    match text.chars().find(|character| wrong(*character)) {
        Some(character) => {
            Err(InvalidDefinition::ControlCharacter { field: field.to_owned(), code: u32::from(character) })
        }
        None => Ok(()),
    }
}

/// `Char` of XML 1.0: <https://www.w3.org/TR/xml/#charsets>.
fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}
