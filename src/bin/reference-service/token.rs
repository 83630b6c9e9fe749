//! One token in the books, and its state at a given time.

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::settings::Settings;

/// Characters of a value that a masked one shows.
const SHOWN: usize = 4;

/// The SHA-256 of a credential, in hexadecimal. The only form in which one is kept, and comparing
/// hashes tells an attacker's clock nothing about the value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ValueHash(String);

impl ValueHash {
    /// Hashes a credential.
    pub fn of(value: &str) -> Self {
        Self(HEXLOWER.encode(&Sha256::digest(value.as_bytes())))
    }
}

/// The service of which a token is. Each has its own path, its own list and its own quirks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum System {
    /// The service that this program is by itself.
    #[default]
    Reference,
    /// The API tokens of an organization at Appetize.
    Appetize,
    /// The tokens of a tenant at Seal Security.
    Seal,
    /// The access tokens of a seller at Akinon.
    Akinon,
}

/// The request of an admin.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    pub system: System,
    /// At this program's own service 1 to 200 characters, free among the live tokens; elsewhere what its page or API takes.
    pub name: String,
    /// Never expires if absent.
    pub lifetime: Option<TimeDelta>,
    /// Stored and shown, but without effect: the service guards no artifacts.
    pub scopes: Vec<String>,
    /// The person who asks for it on a page; empty where a program does.
    pub created_by: String,
}

/// A record of the books. It stays for ever; only its end is added.
// Not `Debug`: it may have a value.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    #[serde(default)]
    pub system: System,
    pub id: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub value_hash: ValueHash,
    /// The last characters of the value, where the list shows it masked.
    #[serde(default)]
    pub value_end: String,
    /// The value itself, at a system that shows it for ever.
    #[serde(default)]
    pub value: Option<String>,
    /// The person who made it on a page.
    #[serde(default)]
    pub created_by: String,
    /// The admin key that generated it; absent in records of older versions.
    #[serde(default)]
    pub account: Option<ValueHash>,
    pub created_time: DateTime<Utc>,
    pub expiration_time: Option<DateTime<Utc>>,
    pub ended: Option<End>,
    pub last_used_time: Option<DateTime<Utc>>,
    pub accepted_count: u64,
    pub refused_count: u64,
}

/// How a token ended before its expiry.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum End {
    /// Somebody revoked it.
    Revoked(DateTime<Utc>),
    /// The service dropped it without being asked.
    Dropped(DateTime<Utc>),
}

/// The state of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum State {
    Live,
    Revoked,
    Expired,
    Dropped,
}

impl Token {
    /// A new record and the value that belongs to it. The value exists nowhere else.
    pub fn issue(
        request: &TokenRequest,
        settings: &Settings,
        now: DateTime<Utc>,
    ) -> Result<(Self, String), getrandom::Error> {
        let prefix = match request.system {
            System::Reference => "ref",
            System::Appetize => "tok",
            System::Seal => "seal",
            System::Akinon => "akinon",
        };
        let value = format!("{prefix}_{}", BASE64URL_NOPAD.encode(&random::<32>()?));
        let shows_end = request.system == System::Appetize;
        let value_end = if shows_end { value[value.len() - SHOWN..].to_owned() } else { String::new() };
        let id = BASE32_NOPAD.encode(&random::<10>()?).to_ascii_lowercase();
        let lifetime = request.lifetime.filter(|_| !settings.ignore_lifetime);
        let token = Self {
            system: request.system,
            id: format!("tok_{id}"),
            name: request.name.clone(),
            scopes: request.scopes.clone(),
            value_hash: ValueHash::of(&value),
            value_end,
            value: (request.system == System::Akinon).then(|| value.clone()),
            created_by: request.created_by.clone(),
            account: None,
            created_time: now,
            expiration_time: lifetime.and_then(|span| now.checked_add_signed(span)),
            ended: None,
            last_used_time: None,
            accepted_count: 0,
            refused_count: 0,
        };
        Ok((token, value))
    }

    /// Its state now.
    pub fn state(&self, now: DateTime<Utc>) -> State {
        match self.ended {
            Some(End::Revoked(_)) => State::Revoked,
            Some(End::Dropped(_)) => State::Dropped,
            None if self.expired(now) => State::Expired,
            None => State::Live,
        }
    }

    /// Whether it lives.
    pub fn live(&self, now: DateTime<Utc>) -> bool {
        self.state(now) == State::Live
    }

    /// Whether the list shows it. The list shows the tokens as they were a while ago.
    pub fn listed(&self, settings: &Settings, now: DateTime<Utc>) -> bool {
        if settings.list_lag_milliseconds == 0 {
            return self.live(now);
        }
        let seen = now - settings.list_lag();
        let ended = match self.ended {
            Some(End::Revoked(time) | End::Dropped(time)) => time <= seen,
            None => false,
        };
        self.created_time <= seen && !ended && !self.expired(seen)
    }

    /// Whether the service accepts it.
    pub fn accepted(&self, settings: &Settings, now: DateTime<Utc>) -> bool {
        let lingers = match self.ended {
            None => true,
            Some(End::Revoked(time)) => now < time + settings.revoke_lag(),
            Some(End::Dropped(_)) => false,
        };
        lingers && !self.expired(now) && now >= self.created_time + settings.settle()
    }

    /// When it was revoked.
    pub fn revoked_time(&self) -> Option<DateTime<Utc>> {
        match self.ended {
            Some(End::Revoked(time)) => Some(time),
            Some(End::Dropped(_)) | None => None,
        }
    }

    fn expired(&self, now: DateTime<Utc>) -> bool {
        self.expiration_time.is_some_and(|time| time <= now)
    }
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], getrandom::Error> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
