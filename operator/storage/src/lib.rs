//! Where data is kept: keys, documents, item layouts, S3, DynamoDB and IoT clients and the embedded servers.
//!
//! * [`keys`] and [`documents`]: what is kept, and under which names.
//! * [`objects`]: the client side of S3, [`results`]: that of DynamoDB; both by [`StorageSettings`].
//! * [`iot`]: the client side of AWS IoT Core, which live frames go to.
//! * [`credentials`]: keys that reach one run only, and what each kind of key may do.
//! * [`signature`]: who signed a request.
//! * [`embedded`]: both protocols in one process, for laptops and tests.

pub mod credentials;
pub mod documents;
pub mod embedded;
pub mod iot;
pub mod keys;
pub mod objects;
pub mod results;
pub mod signature;

mod failure;
mod settings;

pub use failure::FailureClass;
pub use objects::{ObjectError, ObjectStore};
pub use results::{ResultStore, ResultsError};
pub use settings::{KeyPair, SettingsError, StorageSettings};
