//! Keys of the embedded storage and what each may do. Pure: the operator derives the same secrets that the storage checks.
//!
//! There is one root key. A run's key is derived from it, so the storage keeps no list of keys: access key `<run uid>`,
//! secret `hex(HMAC-SHA256(root key, run uid))`.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::keys::{SCRIPTS_PREFIX, run_prefix};
use crate::settings::KeyPair;

/// Access key of the root key pair; its secret is the root key itself.
pub const ROOT_ACCESS_KEY: &str = "volley";
/// Shortest root key that the storage accepts, in bytes.
pub const MIN_ROOT_KEY_BYTES: usize = 16;

/// Whose key signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The root key.
    Root,
    /// The key of the run with this uid.
    Run(String),
}

impl Identity {
    /// The identity of an access key; `None` where it cannot be one.
    #[must_use]
    pub fn of_access_key(access_key: &str) -> Option<Self> {
        if access_key == ROOT_ACCESS_KEY {
            return Some(Self::Root);
        }
        let uid = (1..=64).contains(&access_key.len())
            && access_key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        uid.then(|| Self::Run(access_key.to_owned()))
    }

    /// The secret that belongs to the identity.
    #[must_use]
    pub fn secret(&self, root_key: &str) -> String {
        match self {
            Self::Root => root_key.to_owned(),
            Self::Run(uid) => run_secret(root_key, uid),
        }
    }
}

/// What a request does to the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read the object of a key, or what is known of it.
    Read,
    /// Write the object of a key, or parts of it.
    Write,
    /// List the keys below a prefix.
    List,
    /// Delete, or anything about the bucket.
    Administer,
}

/// The secret of a run's key: lower-case hexadecimal HMAC-SHA256 (RFC 2104) of the run's uid under the root key.
#[must_use]
pub fn run_secret(root_key: &str, run_uid: &str) -> String {
    hex::encode(hmac(root_key.as_bytes(), run_uid.as_bytes()))
}

/// The key pair of a run.
#[must_use]
pub fn run_keys(root_key: &str, run_uid: &str) -> KeyPair {
    KeyPair { access_key: run_uid.to_owned(), secret_key: run_secret(root_key, run_uid) }
}

/// The root key pair.
#[must_use]
pub fn root_keys(root_key: &str) -> KeyPair {
    KeyPair { access_key: ROOT_ACCESS_KEY.to_owned(), secret_key: root_key.to_owned() }
}

/// Whether an identity may do something. `name` is a key, for [`Action::List`] a prefix.
#[must_use]
pub fn allows(identity: &Identity, action: Action, name: &str) -> bool {
    let uid = match identity {
        Identity::Root => return true,
        Identity::Run(uid) => uid,
    };
    let own = run_prefix(uid);
    match action {
        Action::Read => below(name, SCRIPTS_PREFIX) || below(name, &own),
        Action::Write => ["live/", "manifests/", "workers/"].iter().any(|part| below(name, &format!("{own}{part}"))),
        Action::List => name.starts_with(&own),
        Action::Administer => false,
    }
}

fn below(key: &str, prefix: &str) -> bool {
    key.len() > prefix.len() && key.starts_with(prefix)
}

/// HMAC-SHA256.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // A key of any length is valid for HMAC; the empty one stands for the impossible case.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_secret_of_a_run_is_the_hmac_of_its_uid() {
        // Test case 2 of RFC 4231.
        assert_eq!(
            run_secret("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[rstest]
    #[case::a_script(Action::Read, "scripts/v1/abc", true)]
    #[case::its_definition(Action::Read, "runs/v1/u1/definition.json", true)]
    #[case::its_decision(Action::Read, "runs/v1/u1/control/start.json", true)]
    #[case::another_run(Action::Read, "runs/v1/u2/definition.json", false)]
    #[case::a_run_whose_uid_begins_the_same(Action::Read, "runs/v1/u10/definition.json", false)]
    #[case::an_upload_of_a_user(Action::Read, "uploads/shop/users.csv", false)]
    #[case::the_prefix_itself(Action::Read, "scripts/v1/", false)]
    #[case::its_manifest(Action::Write, "runs/v1/u1/manifests/eu/0/p.json", true)]
    #[case::its_worker_object(Action::Write, "runs/v1/u1/workers/eu/0/p/histograms", true)]
    #[case::its_live_frame(Action::Write, "runs/v1/u1/live/eu/1/0", true)]
    #[case::its_start_decision(Action::Write, "runs/v1/u1/control/start.json", false)]
    #[case::its_own_result(Action::Write, "runs/v1/u1/result.json", false)]
    #[case::its_own_definition(Action::Write, "runs/v1/u1/definition.json", false)]
    #[case::a_script_write(Action::Write, "scripts/v1/abc", false)]
    #[case::a_manifest_of_another_run(Action::Write, "runs/v1/u2/manifests/eu/0/p.json", false)]
    #[case::a_folder_that_only_begins_the_same(Action::Write, "runs/v1/u1/workersX/a", false)]
    #[case::its_prefix(Action::List, "runs/v1/u1/", true)]
    #[case::a_part_of_its_prefix(Action::List, "runs/v1/u1/workers/", true)]
    #[case::the_whole_bucket(Action::List, "", false)]
    #[case::all_runs(Action::List, "runs/v1/", false)]
    #[case::its_prefix_without_the_slash(Action::List, "runs/v1/u1", false)]
    #[case::scripts(Action::List, "scripts/v1/", false)]
    #[case::deletion_of_its_own(Action::Administer, "runs/v1/u1/manifests/eu/0/p.json", false)]
    fn a_runs_key_reaches_only_its_run(#[case] action: Action, #[case] name: &str, #[case] expected: bool) {
        assert_eq!(allows(&Identity::Run("u1".into()), action, name), expected);
        assert!(allows(&Identity::Root, action, name));
    }

    #[rstest]
    #[case("volley", Some(Identity::Root))]
    #[case("0f3c-1", Some(Identity::Run("0f3c-1".into())))]
    #[case("", None)]
    #[case("Volley", None)]
    #[case("a/b", None)]
    fn an_access_key_names_root_or_a_run(#[case] access_key: &str, #[case] expected: Option<Identity>) {
        assert_eq!(Identity::of_access_key(access_key), expected);
    }
}
