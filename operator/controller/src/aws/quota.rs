//! How many vCPU an account may run on Fargate in a region, and how many it runs: Service Quotas and `CloudWatch`.

use jiff::Timestamp;

use super::usage::Metric;
use super::{AwsError, Session, endpoint};

/// Service Quotas' name of Fargate.
const SERVICE: &str = "fargate";
/// "Fargate On-Demand vCPU resource count" of the AWS General Reference: vCPU of all tasks and pods together.
pub(crate) const VCPU_QUOTA: &str = "L-3032A538";

/// vCPU of an account on Fargate in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VcpuQuota {
    /// The account may run so many.
    pub vcpu: u32,
    /// It runs so many, with `CloudWatch`'s delay of a few minutes.
    pub used: u32,
}

impl VcpuQuota {
    /// Asks for it.
    ///
    /// # Errors
    /// [`AwsError`].
    pub(crate) async fn ask(session: &Session, now: Timestamp) -> Result<Self, AwsError> {
        let object = format!("quota {VCPU_QUOTA} of {SERVICE} in {}", session.region());
        let failed = |words: &str| AwsError::Failed { object: object.clone(), words: words.to_owned() };
        let configuration = session.configuration(now).await?;
        let quotas = aws_sdk_servicequotas::Client::new(&configuration);
        let answer = quotas.get_service_quota().service_code(SERVICE).quota_code(VCPU_QUOTA).send().await;
        let answer = answer.map_err(|error| AwsError::of(&object, "servicequotas:GetServiceQuota", &error))?;
        let quota = answer.quota().ok_or_else(|| failed("the answer holds none"))?;
        let vcpu = quota.value().ok_or_else(|| failed("it has no value"))?;
        let metric = quota.usage_metric().ok_or_else(|| failed("it names no usage metric"))?;
        let metric = Metric {
            namespace: metric.metric_namespace().unwrap_or_default().to_owned(),
            name: metric.metric_name().unwrap_or_default().to_owned(),
            dimensions: metric.metric_dimensions().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
        };
        let endpoint = endpoint::cloudwatch(&configuration).await.map_err(|error| failed(&error.to_string()))?;
        let used = metric.newest(session.region(), session.credentials(now).await?, &endpoint, now).await?;
        Ok(Self { vcpu: whole(vcpu.floor()), used: used.map_or(0, |used| whole(used.ceil())) })
    }
}

/// A number of vCPU; nonsense is 0.
fn whole(number: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from float saturates")]
    let whole = number as u32;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_vcpu_are_whole_and_never_wrap() {
        assert_eq!([whole(6.0), whole(-1.0), whole(f64::NAN), whole(1e12)], [6, 0, 0, u32::MAX]);
    }
}
