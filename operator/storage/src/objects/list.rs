//! Listing objects in the order of their keys (UTF-8 bytes), page by page, with a bound.

use super::{ObjectError, ObjectStore};

/// Objects of one answer: S3's limit.
const PAGE: usize = 1000;

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// Its whole key.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// `ETag` with its quotes.
    pub etag: String,
}

/// What a listing found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In the order of the keys.
    pub objects: Vec<ListedObject>,
    /// True: there may be more; continue after the last key.
    pub truncated: bool,
}

impl ObjectStore {
    /// Lists up to `limit` objects whose key begins with `prefix` and comes after `start_after`.
    ///
    /// # Errors
    /// As the storage answers.
    pub async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<Listing, ObjectError> {
        let mut listing = Listing::default();
        let mut after = start_after.map(str::to_owned);
        while listing.objects.len() < limit {
            let page = PAGE.min(limit - listing.objects.len());
            let answer = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(prefix)
                .set_start_after(after.take())
                .max_keys(i32::try_from(page).unwrap_or(1000))
                .send()
                .await
                .map_err(|error| self.error("list", prefix, &error))?;
            listing.objects.extend(answer.contents().iter().map(|object| ListedObject {
                key: object.key().unwrap_or_default().to_owned(),
                size: u64::try_from(object.size().unwrap_or_default()).unwrap_or_default(),
                etag: object.e_tag().unwrap_or_default().to_owned(),
            }));
            listing.truncated = answer.is_truncated() == Some(true);
            // Paging by the last key instead of the token: a page survives a restart of either side.
            after = listing.objects.last().map(|object| object.key.clone());
            if !listing.truncated || answer.contents().is_empty() {
                break;
            }
        }
        Ok(listing)
    }

    /// Lists everything below a prefix, but refuses more than `limit` objects.
    ///
    /// # Errors
    /// [`ObjectError::TooManyObjects`] above the limit; otherwise as the storage answers.
    pub async fn list_all(&self, prefix: &str, limit: usize) -> Result<Vec<ListedObject>, ObjectError> {
        let listing = self.list(prefix, None, limit).await?;
        if listing.truncated {
            return Err(ObjectError::TooManyObjects { location: self.location(prefix), limit });
        }
        Ok(listing.objects)
    }
}
