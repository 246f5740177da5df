//! Rows of objects: put with a condition, get, delete, list.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{IncomingFile, Store, StoreError};

/// What is kept beside a body and given back with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::embedded) struct Attributes {
    /// `Content-Type`.
    pub(in crate::embedded) content_type: Option<String>,
    /// `Content-Encoding`.
    pub(in crate::embedded) content_encoding: Option<String>,
    /// `x-amz-meta-…`.
    pub(in crate::embedded) metadata: BTreeMap<String, String>,
    /// Base64 CRC-32 of the whole body, where it is known.
    pub(in crate::embedded) crc32: Option<String>,
}

/// A condition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::embedded) enum Condition {
    /// None.
    Always,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match: *`.
    Present,
    /// `If-Match: "<etag>"`.
    Is(String),
}

/// A verified body.
#[derive(Debug)]
pub(in crate::embedded) enum Body {
    /// A small one.
    Inline(Vec<u8>),
    /// A large one, flushed.
    File(IncomingFile),
}

/// A write of an object.
#[derive(Debug)]
pub(in crate::embedded) struct Put {
    /// The key.
    pub(in crate::embedded) key: String,
    /// Size of the body.
    pub(in crate::embedded) size: u64,
    /// `ETag` without quotes.
    pub(in crate::embedded) etag: String,
    /// Milliseconds since 1970.
    pub(in crate::embedded) modified: i64,
    /// What is kept beside the body.
    pub(in crate::embedded) attributes: Attributes,
    /// The body.
    pub(in crate::embedded) body: Body,
    /// When to write.
    pub(in crate::embedded) condition: Condition,
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Row {
    /// The key.
    pub(in crate::embedded) key: String,
    /// Size of the body.
    pub(in crate::embedded) size: u64,
    /// `ETag` without quotes.
    pub(in crate::embedded) etag: String,
    /// Milliseconds since 1970.
    pub(in crate::embedded) modified: i64,
}

/// Where a body is.
#[derive(Debug)]
pub(in crate::embedded) enum StoredBody {
    /// Read with the row.
    Inline(Vec<u8>),
    /// Opened with the row, so that it stays readable when the object is replaced.
    File(std::fs::File),
}

/// An object as it was at one instant.
#[derive(Debug)]
pub(in crate::embedded) struct StoredObject {
    /// What is known of it.
    pub(in crate::embedded) row: Row,
    /// What is kept beside the body.
    pub(in crate::embedded) attributes: Attributes,
    /// The body; `None` where it was not asked for.
    pub(in crate::embedded) body: Option<StoredBody>,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(in crate::embedded) struct Page {
    /// Objects in the order of their keys.
    pub(in crate::embedded) objects: Vec<Row>,
    /// Common prefixes in order.
    pub(in crate::embedded) prefixes: Vec<String>,
    /// The lowest key of the next page; `None`: this is the last one.
    pub(in crate::embedded) next: Option<Vec<u8>>,
}

impl Store {
    /// Writes an object in one transaction.
    pub(in crate::embedded) fn put(&self, put: Put) -> Result<(), StoreError> {
        let attributes = serde_json::to_string(&put.attributes)?;
        let (data, file) = match put.body {
            Body::Inline(data) => (Some(data), None),
            Body::File(file) => (None, Some(file.publish(self)?)),
        };
        let outcome = {
            let mut connection = self.writer();
            put_row(&mut connection, &put.key, &put.condition, |transaction| {
                let body = match &data {
                    Some(data) => {
                        transaction.execute("INSERT INTO bodies (data) VALUES (?1)", params![data])?;
                        Some(transaction.last_insert_rowid())
                    }
                    None => None,
                };
                let size = i64::try_from(put.size).unwrap_or(i64::MAX);
                transaction.execute(
                    "INSERT OR REPLACE INTO objects (key, size, etag, modified, attributes, body, file) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![put.key.as_bytes(), size, put.etag, put.modified, attributes, body, file],
                )?;
                Ok(())
            })
        };
        match outcome {
            Ok(replaced) => {
                self.remove_files(&replaced);
                Ok(())
            }
            Err(error) => {
                self.remove_files(&file);
                Err(error)
            }
        }
    }

    /// Reads an object, with its body where asked for.
    pub(in crate::embedded) fn get(&self, key: &str, with_body: bool) -> Result<Option<StoredObject>, StoreError> {
        // Between reading the row and opening the file the object may be replaced: then the row is read again.
        for _ in 0..8 {
            let found = self.read(|connection| read_row(connection, key, with_body))?;
            let Some((row, attributes, data, file)) = found else { return Ok(None) };
            let body = match (with_body, data, file) {
                (false, _, _) => None,
                (true, Some(data), _) => Some(StoredBody::Inline(data)),
                (true, None, Some(name)) => match std::fs::File::open(self.file_path(&name)) {
                    Ok(file) => Some(StoredBody::File(file)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error.into()),
                },
                (true, None, None) => continue,
            };
            return Ok(Some(StoredObject { row, attributes: serde_json::from_str(&attributes)?, body }));
        }
        Err(std::io::Error::other(format!("the body of {key} is missing")).into())
    }

    /// Deletes objects in one transaction. Keys that are not there count as deleted.
    pub(in crate::embedded) fn delete(&self, keys: &[String]) -> Result<(), StoreError> {
        let mut files = Vec::new();
        {
            let mut connection = self.writer();
            let transaction = connection.transaction()?;
            for key in keys {
                files.extend(remove_row(&transaction, key)?);
                transaction.execute("DELETE FROM objects WHERE key = ?1", params![key.as_bytes()])?;
            }
            transaction.commit()?;
        }
        self.remove_files(&files);
        Ok(())
    }

    /// Lists keys that begin with `prefix`, from `from` on (inclusive), at most `limit` keys and common prefixes.
    /// A common prefix is skipped as a whole, so the work does not depend on what lies below it.
    pub(in crate::embedded) fn list(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        from: &[u8],
        limit: usize,
    ) -> Result<Page, StoreError> {
        let end = successor(prefix.as_bytes());
        let mut from = from.max(prefix.as_bytes()).to_vec();
        let mut page = Page::default();
        self.read(|connection| {
            loop {
                let room = limit - page.objects.len() - page.prefixes.len();
                let rows = scan(connection, &from, end.as_deref(), room + 1)?;
                let last = rows.len() <= room;
                for row in rows {
                    let mut lowest_after = row.key.as_bytes().to_vec();
                    lowest_after.push(0);
                    if page.objects.len() + page.prefixes.len() == limit {
                        page.next = Some(from);
                        return Ok(page);
                    }
                    let cut = delimiter.and_then(|delimiter| {
                        row.key[prefix.len()..].find(delimiter).map(|at| prefix.len() + at + delimiter.len())
                    });
                    let Some(cut) = cut else {
                        page.objects.push(row);
                        from = lowest_after;
                        continue;
                    };
                    let common = row.key[..cut].to_owned();
                    let Some(behind) = successor(common.as_bytes()) else { return Ok(page) };
                    page.prefixes.push(common);
                    from = behind;
                    // The rest of these rows may lie below the same common prefix: scan on behind it.
                    break;
                }
                if last && delimiter.is_none() {
                    return Ok(page);
                }
                if scan(connection, &from, end.as_deref(), 1)?.is_empty() {
                    return Ok(page);
                }
            }
        })
    }
}

/// Checks the condition, lets `insert` write the row, and returns the file of the object that was replaced.
pub(super) fn put_row(
    connection: &mut Connection,
    key: &str,
    condition: &Condition,
    insert: impl FnOnce(&Connection) -> Result<(), StoreError>,
) -> Result<Option<String>, StoreError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let there: Option<String> = transaction
        .query_row("SELECT etag FROM objects WHERE key = ?1", params![key.as_bytes()], |row| row.get(0))
        .optional()?;
    let holds = match (condition, &there) {
        (Condition::Always, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => true,
        (Condition::Is(etag), Some(there)) => etag == there,
        (Condition::Absent, Some(_)) | (Condition::Present | Condition::Is(_), None) => false,
    };
    if !holds {
        return Err(StoreError::Condition);
    }
    let replaced = remove_row(&transaction, key)?;
    insert(&transaction)?;
    transaction.commit()?;
    Ok(replaced)
}

/// Removes the small body of a row and returns the file of a large one.
fn remove_row(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let found: Option<(Option<i64>, Option<String>)> = connection
        .query_row("SELECT body, file FROM objects WHERE key = ?1", params![key.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((body, file)) = found else { return Ok(None) };
    if let Some(body) = body {
        connection.execute("DELETE FROM bodies WHERE id = ?1", params![body])?;
    }
    Ok(file)
}

type Found = (Row, String, Option<Vec<u8>>, Option<String>);

fn read_row(connection: &Connection, key: &str, with_body: bool) -> Result<Option<Found>, StoreError> {
    let sql = if with_body {
        "SELECT key, size, etag, modified, attributes, file, data FROM objects LEFT JOIN bodies ON bodies.id = body WHERE key = ?1"
    } else {
        "SELECT key, size, etag, modified, attributes, file, NULL FROM objects WHERE key = ?1"
    };
    let mut statement = connection.prepare_cached(sql)?;
    let found =
        statement.query_row(params![key.as_bytes()], |row| Ok((row_of(row)?, row.get(4)?, row.get(6)?, row.get(5)?)));
    Ok(found.optional()?)
}

fn scan(connection: &Connection, from: &[u8], end: Option<&[u8]>, limit: usize) -> Result<Vec<Row>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = match end {
        Some(_) => "SELECT key, size, etag, modified FROM objects WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3",
        None => "SELECT key, size, etag, modified FROM objects WHERE key >= ?1 AND ?2 IS NULL ORDER BY key LIMIT ?3",
    };
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![from, end, limit], row_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn row_of(row: &rusqlite::Row<'_>) -> Result<Row, rusqlite::Error> {
    let key: Vec<u8> = row.get(0)?;
    let key = String::from_utf8(key)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error)))?;
    let size: i64 = row.get(1)?;
    Ok(Row { key, size: u64::try_from(size).unwrap_or_default(), etag: row.get(2)?, modified: row.get(3)? })
}

/// The lowest byte string above everything that begins with `prefix`; `None` where there is none.
pub(super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_successor_of_a_prefix_divides_what_begins_with_it_from_what_comes_after(
            prefix in proptest::collection::vec(any::<u8>(), 0..4),
            other in proptest::collection::vec(any::<u8>(), 0..6),
        ) {
            let begins = other.starts_with(&prefix);
            let below = successor(&prefix).is_none_or(|end| other < end);
            prop_assert_eq!(begins, other >= prefix && below);
        }
    }
}
