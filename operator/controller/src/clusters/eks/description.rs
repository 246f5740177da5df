//! Where an EKS cluster is and whose certificates it shows, by `DescribeCluster`.

use aws_config::SdkConfig;
use aws_sdk_eks::types::{Cluster, ClusterStatus};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::EksError;
use crate::aws::AwsError;

/// Most certificates of a bundle. EKS has two while it changes them.
const MAX_CERTIFICATES: usize = 16;

/// What EKS says about a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description {
    /// `https://….eks.amazonaws.com`.
    pub endpoint: http::Uri,
    /// All certificates of the cluster's authority, in DER: two while it is being changed.
    pub certificates: Vec<Vec<u8>>,
}

impl Description {
    /// Asks EKS for a cluster in the configuration's region.
    ///
    /// # Errors
    /// [`EksError`].
    pub(super) async fn ask(configuration: &SdkConfig, cluster: &str) -> Result<Self, EksError> {
        let answer = aws_sdk_eks::Client::new(configuration).describe_cluster().name(cluster).send().await;
        let answer = answer.map_err(|error| {
            match AwsError::of(format!("EKS cluster {cluster}"), "eks:DescribeCluster", &error) {
                AwsError::NotFound { .. } => EksError::NotFound {
                    cluster: cluster.to_owned(),
                    region: configuration.region().map(ToString::to_string).unwrap_or_default(),
                },
                other => other.into(),
            }
        })?;
        let described = answer.cluster().ok_or_else(|| malformed(cluster, "the answer holds no cluster"))?;
        Self::read(cluster, described)
    }

    fn read(cluster: &str, described: &Cluster) -> Result<Self, EksError> {
        let malformed = |problem: &str| malformed(cluster, problem);
        match described.status() {
            // An update does not touch the API server's address, and it goes on answering.
            Some(ClusterStatus::Active | ClusterStatus::Updating) => {}
            Some(status) => {
                return Err(EksError::NotActive { cluster: cluster.to_owned(), status: status.as_str().to_owned() });
            }
            None => return Err(malformed("it has no status")),
        }
        let endpoint = described.endpoint().ok_or_else(|| malformed("it has no endpoint"))?;
        let endpoint: http::Uri = endpoint.parse().map_err(|_| malformed("its endpoint is no URL"))?;
        if endpoint.scheme_str() != Some("https") {
            return Err(malformed("its endpoint does not begin with https://"));
        }
        let bundle = described.certificate_authority().and_then(|authority| authority.data());
        let bundle = bundle.ok_or_else(|| malformed("it has no certificate authority"))?;
        Ok(Self { endpoint, certificates: certificates(bundle).map_err(malformed)? })
    }

    /// Changes when anything changes that a client is made from, the role that it comes as included.
    pub(super) fn revision(&self, role: Option<&str>) -> String {
        let mut digest = Sha256::new();
        digest.update(role.unwrap_or_default());
        digest.update("\n");
        digest.update(self.endpoint.to_string());
        for certificate in &self.certificates {
            digest.update(Sha256::digest(certificate));
        }
        hex::encode(digest.finalize())
    }
}

fn malformed(cluster: &str, problem: &str) -> EksError {
    EksError::Malformed { cluster: cluster.to_owned(), problem: problem.to_owned() }
}

/// All certificates of a bundle: PEM in base64.
fn certificates(bundle: &str) -> Result<Vec<Vec<u8>>, &'static str> {
    let pem = STANDARD.decode(bundle.trim()).map_err(|_| "its certificate authority is not in base64")?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .take(MAX_CERTIFICATES)
        .map(|certificate| certificate.map(|der| der.to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| "its certificate authority is not in PEM")?;
    if certificates.is_empty() {
        return Err("its certificate authority holds no certificate");
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::Certificate;
    use rstest::rstest;

    use super::*;

    fn pem(content: &[u8]) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(content))
    }

    fn cluster(bundle: &str) -> Cluster {
        Cluster::builder()
            .name("eu")
            .status(ClusterStatus::Active)
            .endpoint("https://abc.gr7.eu-west-1.eks.amazonaws.com")
            .certificate_authority(Certificate::builder().data(STANDARD.encode(bundle)).build())
            .build()
    }

    #[test]
    fn all_certificates_of_the_bundle_are_trusted_and_each_change_is_a_new_revision() {
        let one = Description::read("eu", &cluster(&pem(b"old"))).unwrap();
        let both = Description::read("eu", &cluster(&(pem(b"old") + &pem(b"new")))).unwrap();
        assert_eq!(one.certificates, [b"old".to_vec()]);
        assert_eq!(both.certificates, [b"old".to_vec(), b"new".to_vec()]);
        assert_ne!(one.revision(None), both.revision(None));
        assert_ne!(one.revision(None), one.revision(Some("arn:aws:iam::111122223333:role/a")));
        let mut elsewhere = one.clone();
        elsewhere.endpoint = "https://def.gr7.eu-west-1.eks.amazonaws.com".parse().unwrap();
        assert_ne!(one.revision(None), elsewhere.revision(None));
        assert_eq!(one.revision(None), Description::read("eu", &cluster(&pem(b"old"))).unwrap().revision(None));
    }

    #[rstest]
    #[case::being_made(|cluster: &mut Cluster| cluster.status = Some(ClusterStatus::Creating), "is CREATING")]
    #[case::nothing_said(|cluster: &mut Cluster| cluster.status = None, "no status")]
    #[case::no_endpoint(|cluster: &mut Cluster| cluster.endpoint = None, "no endpoint")]
    #[case::plain_http(|cluster: &mut Cluster| cluster.endpoint = Some("http://a".into()), "https://")]
    #[case::no_url(|cluster: &mut Cluster| cluster.endpoint = Some("not a url".into()), "no URL")]
    #[case::no_authority(|cluster: &mut Cluster| cluster.certificate_authority = None, "no certificate authority")]
    fn a_cluster_that_cannot_be_used_is_refused_with_the_reason(#[case] change: fn(&mut Cluster), #[case] words: &str) {
        let mut cluster = cluster(&pem(b"a"));
        change(&mut cluster);
        let said = Description::read("eu", &cluster).unwrap_err().to_string();
        assert!(said.contains(words) && said.contains("cluster eu"), "{said}");
    }

    #[rstest]
    #[case::no_base64("%%%", "base64")]
    #[case::no_pem("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCiEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=", "PEM")]
    #[case::nothing("", "no certificate")]
    fn a_bundle_that_cannot_be_read_is_refused(#[case] bundle: &str, #[case] words: &str) {
        assert!(certificates(bundle).unwrap_err().contains(words));
    }
}
