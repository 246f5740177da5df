//! Who may do what: signatures of version 4 in the header only, then the pure rights of [`crate::credentials`].

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::ListObjectsV2Input;
use s3s::{S3Request, S3Result, s3_error};

use crate::credentials::{Action, Identity, allows};

/// Derives the secret of an access key.
pub(super) struct Secrets {
    root_key: String,
}

impl Secrets {
    pub(super) fn new(root_key: &str) -> Self {
        Self { root_key: root_key.to_owned() }
    }
}

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let identity = Identity::of_access_key(access_key).ok_or_else(|| s3_error!(InvalidAccessKeyId))?;
        Ok(SecretKey::from(identity.secret(&self.root_key)))
    }
}

/// What an operation does; `None`: the storage does not offer it.
fn action_of(operation: &str) -> Option<Action> {
    match operation {
        "GetObject" | "HeadObject" => Some(Action::Read),
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" | "AbortMultipartUpload" => {
            Some(Action::Write)
        }
        "ListObjectsV2" => Some(Action::List),
        "DeleteObject" | "DeleteObjects" | "CreateBucket" | "HeadBucket" => Some(Action::Administer),
        _ => None,
    }
}

/// Checks rights. Nothing anonymous, nothing unsigned by version 4, nothing that is not in the list above.
pub(super) struct Rights;

#[async_trait::async_trait]
impl S3Access for Rights {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let identity = context.credentials().and_then(|found| Identity::of_access_key(&found.access_key));
        let Some(identity) = identity else {
            return Err(s3_error!(AccessDenied, "requests must be signed"));
        };
        // Version 2 signs neither the body nor all headers, and its dates are not checked; links are not needed.
        let signed =
            context.headers().get("authorization").is_some_and(|it| it.as_bytes().starts_with(b"AWS4-HMAC-SHA256"));
        let link = context.uri().query().is_some_and(|query| query.contains("Signature="));
        if !signed || link {
            return Err(s3_error!(AccessDenied, "requests must be signed with version 4 in the Authorization header"));
        }
        let operation = context.s3_op().name();
        let Some(action) = action_of(operation) else {
            return Err(s3_error!(NotImplemented, "the embedded storage does not offer {operation}"));
        };
        // The prefix of a listing is known once the request is read: see list_objects_v2 below.
        let key = match action {
            Action::List => return Ok(()),
            Action::Read | Action::Write | Action::Administer => context.s3_path().get_object_key().unwrap_or_default(),
        };
        permit(&identity, action, key)
    }

    async fn list_objects_v2(&self, request: &mut S3Request<ListObjectsV2Input>) -> S3Result<()> {
        let identity = request.credentials.as_ref().and_then(|found| Identity::of_access_key(&found.access_key));
        let identity = identity.ok_or_else(|| s3_error!(AccessDenied, "requests must be signed"))?;
        permit(&identity, Action::List, request.input.prefix.as_deref().unwrap_or_default())
    }
}

fn permit(identity: &Identity, action: Action, name: &str) -> S3Result<()> {
    if allows(identity, action, name) {
        return Ok(());
    }
    Err(s3_error!(AccessDenied, "this key may not do that with {name:?}"))
}
