//! Multipart uploads: parts are files that no object names yet; completing joins them and publishes the whole.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension, params};

use super::index::{Attributes, Body, Condition, Put};
use super::{IncomingFile, Store, StoreError};

/// Unfinished uploads live this long, in seconds, and are removed at the next start after it.
const LIFETIME_SECONDS: u64 = 24 * 3600;
/// Smallest part but the last: S3's rule.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

/// An unfinished upload.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Upload {
    /// Its id.
    pub(in crate::embedded) id: String,
    /// The key of the object to be.
    pub(in crate::embedded) key: String,
    /// What is kept beside the body.
    pub(in crate::embedded) attributes: Attributes,
    /// Milliseconds since 1970.
    pub(in crate::embedded) created: i64,
}

/// A part as the client names it on completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Part {
    /// From 1 to 10,000.
    pub(in crate::embedded) number: i32,
    /// `ETag` without quotes: the hexadecimal MD5.
    pub(in crate::embedded) md5: String,
}

impl Store {
    /// Begins an upload.
    pub(in crate::embedded) fn begin_upload(&self, upload: &Upload) -> Result<(), StoreError> {
        self.writer().execute(
            "INSERT INTO uploads (id, key, attributes, created) VALUES (?1, ?2, ?3, ?4)",
            params![upload.id, upload.key.as_bytes(), serde_json::to_string(&upload.attributes)?, upload.created],
        )?;
        Ok(())
    }

    /// Adds a verified, flushed part; a part of the same number is replaced.
    pub(in crate::embedded) fn add_part(
        &self,
        upload_id: &str,
        key: &str,
        part: &Part,
        size: u64,
        file: IncomingFile,
    ) -> Result<(), StoreError> {
        let name = file.publish(self)?;
        let outcome = self.add_part_row(upload_id, key, part, size, &name);
        match outcome {
            Ok(replaced) => {
                self.remove_files(&replaced);
                Ok(())
            }
            Err(error) => {
                self.remove_files([&name]);
                Err(error)
            }
        }
    }

    fn add_part_row(
        &self,
        upload_id: &str,
        key: &str,
        part: &Part,
        size: u64,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        let mut connection = self.writer();
        let transaction = connection.transaction()?;
        find(&transaction, upload_id, key)?;
        let replaced = transaction
            .query_row(
                "SELECT file FROM parts WHERE upload = ?1 AND number = ?2",
                params![upload_id, part.number],
                |row| row.get(0),
            )
            .optional()?;
        transaction.execute(
            "INSERT OR REPLACE INTO parts (upload, number, size, md5, file) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![upload_id, part.number, i64::try_from(size).unwrap_or(i64::MAX), part.md5, name],
        )?;
        transaction.commit()?;
        Ok(replaced)
    }

    /// Joins the named parts, in order, and publishes the object. Returns its `ETag` without quotes.
    pub(in crate::embedded) fn complete_upload(
        &self,
        upload_id: &str,
        key: &str,
        parts: &[Part],
        modified: i64,
        condition: Condition,
    ) -> Result<String, StoreError> {
        let (attributes, known) = self.read(|connection| {
            let attributes = find(connection, upload_id, key)?;
            Ok((attributes, known_parts(connection, upload_id)?))
        })?;
        let mut files = Vec::with_capacity(parts.len());
        let mut digests = Vec::with_capacity(parts.len() * 16);
        let mut size = 0_u64;
        let mut previous = 0;
        for (at, part) in parts.iter().enumerate() {
            let found = known.iter().find(|(known, ..)| known == part).ok_or(StoreError::InvalidPart)?;
            if part.number <= previous {
                return Err(StoreError::InvalidPart);
            }
            if at + 1 < parts.len() && found.1 < MIN_PART_BYTES {
                return Err(StoreError::SmallPart);
            }
            previous = part.number;
            size += found.1;
            files.push(found.2.clone());
            digests.extend(hex::decode(&part.md5).map_err(|_| StoreError::InvalidPart)?);
        }
        if parts.is_empty() {
            return Err(StoreError::InvalidPart);
        }
        let mut etag = md5_hex(&digests);
        write!(etag, "-{}", parts.len()).map_err(|_| StoreError::InvalidPart)?;
        let body = Body::File(self.join_files(&files)?);
        let put = Put { key: key.to_owned(), size, etag: etag.clone(), modified, attributes, body, condition };
        self.put(put)?;
        // The object stands; what is left of the upload is only space.
        self.forget_upload(upload_id, key)?;
        Ok(etag)
    }

    /// Removes an upload and its parts.
    pub(in crate::embedded) fn forget_upload(&self, upload_id: &str, key: &str) -> Result<(), StoreError> {
        let files = {
            let mut connection = self.writer();
            let transaction = connection.transaction()?;
            find(&transaction, upload_id, key)?;
            let files: Vec<String> =
                known_parts(&transaction, upload_id)?.into_iter().map(|(_, _, file)| file).collect();
            transaction.execute("DELETE FROM parts WHERE upload = ?1", params![upload_id])?;
            transaction.execute("DELETE FROM uploads WHERE id = ?1", params![upload_id])?;
            transaction.commit()?;
            files
        };
        self.remove_files(&files);
        Ok(())
    }
}

/// Removes the rows of uploads that have outlived their time; the sweep removes their files.
pub(super) fn expire(connection: &Connection, now_seconds: u64) -> Result<(), rusqlite::Error> {
    let before = i64::try_from(now_seconds.saturating_sub(LIFETIME_SECONDS).saturating_mul(1000)).unwrap_or(i64::MAX);
    connection.execute("DELETE FROM uploads WHERE created < ?1", params![before])?;
    connection.execute("DELETE FROM parts WHERE upload NOT IN (SELECT id FROM uploads)", [])?;
    Ok(())
}

fn find(connection: &Connection, upload_id: &str, key: &str) -> Result<Attributes, StoreError> {
    let found: Option<String> = connection
        .query_row(
            "SELECT attributes FROM uploads WHERE id = ?1 AND key = ?2",
            params![upload_id, key.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    Ok(serde_json::from_str(&found.ok_or(StoreError::NoSuchUpload)?)?)
}

fn known_parts(connection: &Connection, upload_id: &str) -> Result<Vec<(Part, u64, String)>, StoreError> {
    let mut statement =
        connection.prepare("SELECT number, md5, size, file FROM parts WHERE upload = ?1 ORDER BY number")?;
    let rows = statement.query_map(params![upload_id], |row| {
        let size: i64 = row.get(2)?;
        Ok((Part { number: row.get(0)?, md5: row.get(1)? }, u64::try_from(size).unwrap_or_default(), row.get(3)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn md5_hex(bytes: &[u8]) -> String {
    use s3s::crypto::{Checksum, Md5};
    hex::encode(Md5::checksum(bytes))
}
