//! The newest value of a usage metric, by `CloudWatch`'s `GetMetricStatistics`.
//!
//! Asked by hand, over the HTTP client that kube is: the SDK's crate for `CloudWatch` would have every AWS crate compiled with a second
//! generation of `http` for one question. Protocol: AWS Query, version 2010-08-01 (Amazon `CloudWatch` API Reference).

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use kube::{Client, Config};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::{ATTEMPT_LIMIT, AwsError, CONNECT_LIMIT};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Usage metrics have a value every five minutes; three of them may be late.
const PERIOD_SECONDS: i32 = 300;
const LOOK_BACK: SignedDuration = SignedDuration::from_mins(20);
/// Answers have less than 2 KB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
const FORM: &str = "application/x-www-form-urlencoded";

/// A metric of `CloudWatch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metric {
    pub namespace: String,
    pub name: String,
    pub dimensions: BTreeMap<String, String>,
}

impl Metric {
    /// The newest maximum; `None`: there was none lately, which for a usage metric means no usage.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(super) async fn newest(
        &self,
        region: &str,
        credentials: Credentials,
        endpoint: &str,
        now: Timestamp,
    ) -> Result<Option<f64>, AwsError> {
        let object = format!("the metric {} of {}", self.name, self.namespace);
        let failed = |words: String| AwsError::Failed { object: object.clone(), words };
        let request = self.request(endpoint, region, credentials, now).map_err(|error| failed(error.to_string()))?;
        let answer = tokio::time::timeout(ATTEMPT_LIMIT, send(endpoint, request)).await;
        let (status, text) = answer
            .map_err(|_| failed(format!("no answer within {} s", ATTEMPT_LIMIT.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        let values = read(&text);
        match values.code {
            None if status == 200 => Ok(values.newest.map(|(_, value)| value)),
            None => Err(failed(format!("status {status}"))),
            Some(code) => {
                Err(AwsError::of_code(object, "cloudwatch:GetMetricStatistics", &code, values.message.as_deref()))
            }
        }
    }

    fn form(&self, now: Timestamp) -> String {
        let instant = |instant: Timestamp| format!("{instant:.0}");
        let from = now.saturating_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", "GetMetricStatistics")
            .append_pair("Version", "2010-08-01")
            .append_pair("Namespace", &self.namespace)
            .append_pair("MetricName", &self.name)
            .append_pair("StartTime", &instant(from))
            .append_pair("EndTime", &instant(now))
            .append_pair("Period", &PERIOD_SECONDS.to_string())
            .append_pair("Statistics.member.1", "Maximum");
        for (number, (name, value)) in (1..).zip(&self.dimensions) {
            form.append_pair(&format!("Dimensions.member.{number}.Name"), name);
            form.append_pair(&format!("Dimensions.member.{number}.Value"), value);
        }
        form.finish()
    }

    fn request(
        &self,
        endpoint: &str,
        region: &str,
        credentials: Credentials,
        now: Timestamp,
    ) -> Result<http::Request<Vec<u8>>, BoxError> {
        let uri: http::Uri = endpoint.parse()?;
        let host = uri.authority().ok_or("the endpoint has no host")?.to_string();
        let url = format!("{}/", endpoint.trim_end_matches('/'));
        let mut request = http::Request::post(&url)
            .header(HOST, host)
            .header(CONTENT_TYPE, FORM)
            .body(self.form(now).into_bytes())?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("monitoring")
            .time(SystemTime::from(now))
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| Ok((name.as_str(), value.to_str()?)))
            .collect::<Result<Vec<_>, BoxError>>()?;
        let signable = SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(request.body()))?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

async fn send(endpoint: &str, request: http::Request<Vec<u8>>) -> Result<(u16, String), BoxError> {
    let mut config = Config::new(endpoint.parse()?);
    config.connect_timeout = Some(CONNECT_LIMIT);
    // kube joins the address and the path.
    let mut request = request.map(Body::from);
    *request.uri_mut() = http::Uri::from_static("/");
    let answer = Client::try_from(config)?.send(request).await?;
    let status = answer.status().as_u16();
    let body = http_body_util::Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// What an answer says.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    /// Time stamp and value; time stamps of one form sort as texts.
    newest: Option<(String, f64)>,
    code: Option<String>,
    message: Option<String>,
}

/// Reads an answer; what is no XML ends it.
fn read(text: &str) -> Answer {
    let mut answer = Answer::default();
    let mut reader = Reader::from_str(text);
    let (mut element, mut stamp, mut value) = (String::new(), String::new(), None);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => start.local_name().as_ref().clone_into(&mut element),
            Ok(Event::Text(text)) => match element.as_str() {
                "Timestamp" => text.trim().clone_into(&mut stamp),
                "Maximum" => value = text.trim().parse().ok(),
                "Code" => answer.code = Some(text.trim().to_owned()),
                "Message" => answer.message = Some(text.trim().to_owned()),
                _ => {}
            },
            Ok(Event::End(end)) => {
                element.clear();
                if end.local_name().as_ref() == "member" {
                    let found = value.take().map(|value| (std::mem::take(&mut stamp), value));
                    answer.newest =
                        [answer.newest.take(), found].into_iter().flatten().max_by(|one, other| one.0.cmp(&other.0));
                }
            }
            Ok(Event::Eof) | Err(_) => return answer,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use volley_storage::signature::{Signature, SignedRequest};

    fn metric() -> Metric {
        let dimensions = [("Class", "Standard/OnDemand"), ("Resource", "vCPU")];
        let dimensions = dimensions.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Metric { namespace: "AWS/Usage".into(), name: "ResourceCount".into(), dimensions }
    }

    #[test]
    fn the_question_is_signed_and_names_the_metric_and_the_last_minutes() {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token+/".into()), None, "test");
        let now = "2026-11-25T10:00:00.5Z".parse().unwrap();
        let request =
            metric().request("https://monitoring.eu-west-1.amazonaws.com", "eu-west-1", credentials, now).unwrap();
        let form: BTreeMap<_, _> = form_urlencoded::parse(request.body()).into_owned().collect();
        assert_eq!(form["Dimensions.member.1.Value"], "Standard/OnDemand");
        assert_eq!(
            (form["StartTime"].as_str(), form["EndTime"].as_str()),
            ("2026-11-25T09:40:00Z", "2026-11-25T10:00:00Z")
        );
        let signature = Signature::in_header(request.headers()).unwrap();
        assert_eq!((signature.service.as_str(), signature.region.as_str()), ("monitoring", "eu-west-1"));
        assert!(["host", "content-type", "x-amz-security-token"].iter().all(|name| signature.covers(name)));
        let seen =
            SignedRequest { method: "POST", path: "/", query: "", headers: request.headers(), body: request.body() };
        signature.verify(&seen, "secret").unwrap();
    }

    #[rstest::rstest]
    #[case::two_values(
        "<R><Datapoints><member><Timestamp>2026-11-25T09:55:00Z</Timestamp><Maximum>12.0</Maximum></member>\
         <member><Maximum>40.0</Maximum><Timestamp>2026-11-25T09:50:00Z</Timestamp></member></Datapoints></R>",
        Some(12.0),
        None
    )]
    #[case::no_usage("<R><Datapoints/></R>", None, None)]
    #[case::no_number("<R><member><Timestamp>a</Timestamp><Maximum>many</Maximum></member></R>", None, None)]
    #[case::a_refusal(
        "<E><Error><Code>AccessDenied</Code><Message>no</Message></Error></E>",
        None,
        Some("AccessDenied")
    )]
    #[case::nonsense("{", None, None)]
    #[case::an_end_in_the_middle("<R><member><Maximum>1", None, None)]
    fn an_answer_holds_its_newest_value_or_why_not(
        #[case] text: &str,
        #[case] newest: Option<f64>,
        #[case] code: Option<&str>,
    ) {
        let answer = read(text);
        assert_eq!(answer.newest.map(|(_, value)| value), newest);
        assert_eq!(answer.code.as_deref(), code);
    }
}
