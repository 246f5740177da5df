//! Where a service of a region is, for the few requests that no SDK client makes.

use aws_config::SdkConfig;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Host of STS in a region, as the SDK knows it.
pub(crate) async fn sts_host(region: &str) -> Result<String, BoxError> {
    let parameters =
        Params::builder().region(region).use_dual_stack(false).use_fips(false).use_global_endpoint(false).build()?;
    let endpoint = ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &parameters).await?;
    let uri: http::Uri = endpoint.url().parse()?;
    uri.host().map(str::to_owned).ok_or_else(|| "the address of STS has no host".into())
}

/// Where `CloudWatch` is: at the configuration's endpoint, else beside STS.
pub(super) async fn cloudwatch(configuration: &SdkConfig) -> Result<String, BoxError> {
    if let Some(endpoint) = configuration.endpoint_url() {
        return Ok(endpoint.to_owned());
    }
    let region = configuration.region().map(ToString::to_string).unwrap_or_default();
    let host = sts_host(&region).await?;
    Ok(format!("https://monitoring.{}", host.strip_prefix("sts.").unwrap_or(&host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::ireland("eu-west-1", "sts.eu-west-1.amazonaws.com")]
    #[case::virginia("us-east-1", "sts.us-east-1.amazonaws.com")]
    #[case::beijing("cn-north-1", "sts.cn-north-1.amazonaws.com.cn")]
    #[tokio::test]
    async fn each_region_has_its_own_sts(#[case] region: &str, #[case] host: &str) {
        assert_eq!(sts_host(region).await.unwrap(), host);
        let region = aws_config::Region::new(region.to_owned());
        let configuration = SdkConfig::builder().region(region).build();
        let expected = format!("https://{}", host.replace("sts.", "monitoring."));
        assert_eq!(cloudwatch(&configuration).await.unwrap(), expected);
    }
}
