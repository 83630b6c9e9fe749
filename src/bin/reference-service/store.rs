//! The books on disk: one record per token, in order of creation, and the admin key's hashes.

use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context;
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{BackendError, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use serde::{Deserialize, Serialize};

use crate::token::{Token, ValueHash};

/// Order of creation to the record as JSON.
const TOKENS: TableDefinition<u64, &[u8]> = TableDefinition::new("tokens");
/// One row, [`ADMIN_KEY`].
const KEYS: TableDefinition<&str, &[u8]> = TableDefinition::new("keys");
const ADMIN_KEY: &str = "admin";

/// The crashes that a committed transaction survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// Every commit is forced to the disk.
    AgainstPowerLoss,
    /// Every commit goes to the operating system. A killed process loses nothing; a crashed machine
    /// may lose or damage the file. A `Durability::None` commit would be weaker: it stays in the
    /// process, and a killed process loses it.
    AgainstKill,
}

/// The admin key's hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdminKey {
    /// The key given at the start. When it changes, it replaces the accepted one.
    pub given: ValueHash,
    /// The valid key: the given one, or a later one that was set through the control address.
    pub accepted: ValueHash,
}

/// The database. Every method is one transaction.
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens or creates a file. Fails if another process has it open.
    pub fn open(path: &Path, durable: Durable) -> anyhow::Result<Self> {
        // Only this user may read it: the keys of Akinon stand in it.
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let (builder, file) = (Database::builder(), FileBackend::new(file)?);
        let database = match durable {
            Durable::AgainstPowerLoss => builder.create_with_backend(file)?,
            Durable::AgainstKill => builder.create_with_backend(UnsyncedFile(file))?,
        };
        Self::with_tables(database)
    }

    /// Books that end with the process.
    pub fn in_memory() -> anyhow::Result<Self> {
        Self::with_tables(Database::builder().create_with_backend(InMemoryBackend::new())?)
    }

    /// Opens all tables, which creates them, so that a fresh store reads as an empty one.
    fn with_tables(database: Database) -> anyhow::Result<Self> {
        let transaction = database.begin_write()?;
        transaction.open_table(TOKENS)?;
        transaction.open_table(KEYS)?;
        transaction.commit()?;
        Ok(Self { database })
    }

    /// Every token ever issued, in order of creation.
    pub fn load_tokens(&self) -> anyhow::Result<Vec<Token>> {
        let transaction = self.database.begin_read()?;
        let mut tokens = Vec::new();
        for row in transaction.open_table(TOKENS)?.iter()? {
            let (order, record) = row?;
            let token = serde_json::from_slice(record.value())
                .with_context(|| format!("record {} cannot be read", order.value()))?;
            tokens.push(token);
        }
        Ok(tokens)
    }

    /// Writes all of `records`, or none.
    pub fn save_tokens<'a>(&self, records: impl IntoIterator<Item = (usize, &'a Token)>) -> anyhow::Result<()> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(TOKENS)?;
            for (order, token) in records {
                let record = serde_json::to_vec(token)?;
                table.insert(u64::try_from(order)?, record.as_slice())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// The admin key's hashes, if the store was used before.
    pub fn load_admin_key(&self) -> anyhow::Result<Option<AdminKey>> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(KEYS)?;
        let Some(record) = table.get(ADMIN_KEY)? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_slice(record.value())?))
    }

    /// Replaces the admin key's hashes.
    pub fn save_admin_key(&self, key: &AdminKey) -> anyhow::Result<()> {
        let record = serde_json::to_vec(key)?;
        let transaction = self.database.begin_write()?;
        transaction.open_table(KEYS)?.insert(ADMIN_KEY, record.as_slice())?;
        transaction.commit()?;
        Ok(())
    }
}

/// A file whose writes are never forced to the disk. Everything else is as in production, so that
/// tests and benchmarks run the same code.
#[derive(Debug)]
struct UnsyncedFile(FileBackend);

impl StorageBackend for UnsyncedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    // The locks keep a second process out of the file. Without these methods, the defaults would say
    // that locking is not supported, and every process could open the file.

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}
