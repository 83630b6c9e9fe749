//! Every token ever issued, and the rules by which tokens are issued, shown, accepted and ended.
//!
//! The books are kept in memory and written through: a change is in the store before it is in
//! memory, so that every answer to a client stays true after a crash. Time is a parameter.

use std::collections::{BTreeSet, HashMap};

use anyhow::Context;
use chrono::{DateTime, Utc};

use crate::settings::Settings;
use crate::store::{AdminKey, Store};
use crate::token::{End, State, System, Token, TokenRequest, ValueHash};

/// The caller, by its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Shows the admin key.
    Admin,
    /// Shows the value of a token in the books, alive or not; this is its order of creation.
    Token(usize),
    /// Shows nothing.
    Nobody,
    /// Shows an unknown credential.
    Stranger,
}

/// Why the service does not issue a token.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A live token has the name.
    #[error("a live token has this name")]
    NameTaken,
    /// As many tokens live as are allowed.
    #[error("token limit of {0} reached")]
    LimitReached(usize),
    /// Nothing was changed.
    #[error("{0:#}")]
    Store(anyhow::Error),
}

/// The books.
pub struct Books {
    /// The quirks under which the rules are applied.
    pub settings: Settings,
    store: Store,
    admin_key: AdminKey,
    /// In order of creation; a position is a token's order and never changes.
    tokens: Vec<Token>,
    by_id: HashMap<String, usize>,
    by_hash: HashMap<ValueHash, usize>,
    /// The newest token of a name, where names are unique: only that one can be alive.
    by_name: HashMap<String, usize>,
    /// Tokens whose use is not in the store yet.
    unsaved: BTreeSet<usize>,
}

impl Books {
    /// Reads the store. A key that differs from the one given at the last start replaces the key
    /// in force.
    pub fn open(store: Store, given_key: &str) -> anyhow::Result<Self> {
        let given = ValueHash::of(given_key);
        let admin_key = match store.load_admin_key()? {
            Some(key) if key.given == given => key,
            Some(_) | None => AdminKey { accepted: given.clone(), given },
        };
        store.save_admin_key(&admin_key)?;
        let tokens = store.load_tokens()?;
        let mut books = Self {
            settings: Settings::default(),
            store,
            admin_key,
            tokens: Vec::with_capacity(tokens.len()),
            by_id: HashMap::new(),
            by_hash: HashMap::new(),
            by_name: HashMap::new(),
            unsaved: BTreeSet::new(),
        };
        for (order, token) in tokens.into_iter().enumerate() {
            books.enter(order, token);
        }
        Ok(books)
    }

    /// Every token ever issued, in order of creation.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The caller that shows this credential.
    pub fn identify(&self, credential: Option<&str>) -> Caller {
        let Some(value) = credential else {
            return Caller::Nobody;
        };
        let hash = ValueHash::of(value);
        if hash == self.admin_key.accepted {
            return Caller::Admin;
        }
        match self.by_hash.get(&hash) {
            Some(order) => Caller::Token(*order),
            None => Caller::Stranger,
        }
    }

    /// The token that a caller shows, alive or not.
    pub fn shown_by(&self, caller: Caller) -> Option<&Token> {
        match caller {
            Caller::Token(order) => self.tokens.get(order),
            Caller::Admin | Caller::Nobody | Caller::Stranger => None,
        }
    }

    /// Issues a token, and returns its record with its value, which nobody sees again.
    pub fn generate(&mut self, request: &TokenRequest, now: DateTime<Utc>) -> Result<(&Token, String), Refusal> {
        if request.system == System::Reference && self.live_named(&request.name, now) {
            return Err(Refusal::NameTaken);
        }
        if let Some(limit) = self.settings.token_limit
            && self.live_count(request.system, now) >= limit
        {
            return Err(Refusal::LimitReached(limit));
        }
        let (mut token, value) =
            Token::issue(request, &self.settings, now).map_err(|error| Refusal::Store(error.into()))?;
        token.account = Some(self.admin_key.accepted.clone());
        if let Some(id) = self.free_id(request.system, now) {
            token.id = id;
        }
        let order = self.tokens.len();
        let mut changes = vec![(order, token)];
        changes.extend(self.to_drop(request.system, now));
        self.write_through(changes).map_err(Refusal::Store)?;
        Ok((&self.tokens[order], value))
    }

    /// Records the use of a shown token, and returns the token if it is accepted.
    pub fn verify(&mut self, system: System, caller: Caller, now: DateTime<Utc>) -> Option<&Token> {
        let Caller::Token(order) = caller else {
            return None;
        };
        let token = self.tokens.get_mut(order).filter(|token| token.system == system)?;
        self.unsaved.insert(order);
        if token.accepted(&self.settings, now) {
            token.accepted_count += 1;
            token.last_used_time = Some(now);
            Some(token)
        } else {
            token.refused_count += 1;
            None
        }
    }

    /// The tokens that the list of a system shows, in order of creation.
    pub fn listed(&self, system: System, now: DateTime<Utc>) -> impl Iterator<Item = &Token> {
        let shown = move |token: &&Token| token.system == system && token.listed(&self.settings, now);
        self.tokens.iter().filter(shown).filter(|token| self.is_own(token))
    }

    /// How many mails about new tokens the admins got: one for each token of Appetize.
    pub fn mails(&self) -> usize {
        self.tokens.iter().filter(|token| token.system == System::Appetize).count()
    }

    /// The system of the token with this id.
    pub fn system_of(&self, id: &str) -> Option<System> {
        self.by_id.get(id).map(|order| self.tokens[*order].system)
    }

    /// A token that still has a row: alive or expired. The list lag does not matter here.
    pub fn find(&self, system: System, id: &str, now: DateTime<Utc>) -> Option<&Token> {
        let token = self.by_id.get(id).map(|order| &self.tokens[*order]).filter(|token| token.system == system)?;
        match token.state(now) {
            State::Live | State::Expired => Some(token).filter(|token| self.is_own(token)),
            State::Revoked | State::Dropped => None,
        }
    }

    /// Ends a token that still has a row. False if there is none.
    pub fn revoke(&mut self, system: System, id: &str, now: DateTime<Utc>) -> anyhow::Result<bool> {
        let Some(token) = self.find(system, id, now) else {
            return Ok(false);
        };
        let order = self.by_id[id];
        let mut token = token.clone();
        token.ended = Some(End::Revoked(now));
        self.write_through(vec![(order, token)])?;
        Ok(true)
    }

    /// Replaces the admin key; the old one is refused from now on.
    pub fn replace_admin_key(&mut self, key: &str) -> anyhow::Result<()> {
        let admin_key = AdminKey { given: self.admin_key.given.clone(), accepted: ValueHash::of(key) };
        self.store.save_admin_key(&admin_key)?;
        self.admin_key = admin_key;
        Ok(())
    }

    /// Writes the use counts that are so far only in memory.
    pub fn save_uses(&mut self) -> anyhow::Result<()> {
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let records = self.unsaved.iter().map(|order| (*order, &self.tokens[*order]));
        self.store.save_tokens(records)?;
        self.unsaved.clear();
        Ok(())
    }

    /// The id to give again: that of the newest token, if that has no row any more.
    fn free_id(&self, system: System, now: DateTime<Utc>) -> Option<String> {
        let mut own = self.tokens.iter().rev().filter(|token| token.system == system);
        let newest = own.next().filter(|_| self.settings.reuse_ids)?;
        matches!(newest.state(now), State::Revoked | State::Dropped).then(|| newest.id.clone())
    }

    /// Whether the admin key in force may see the token.
    fn is_own(&self, token: &Token) -> bool {
        !self.settings.accounts || token.account.as_ref() == Some(&self.admin_key.accepted)
    }

    fn live_named(&self, name: &str, now: DateTime<Utc>) -> bool {
        self.by_name.get(name).is_some_and(|order| self.tokens[*order].live(now))
    }

    fn live_count(&self, system: System, now: DateTime<Utc>) -> usize {
        self.tokens.iter().filter(|token| token.system == system && token.live(now)).count()
    }

    /// The oldest live tokens that must end to make room for one more, already marked as ended.
    fn to_drop(&self, system: System, now: DateTime<Utc>) -> Vec<(usize, Token)> {
        let Some(most) = self.settings.drop_oldest_above else {
            return Vec::new();
        };
        let excess = (self.live_count(system, now) + 1).saturating_sub(most);
        let live = self.tokens.iter().enumerate();
        live.filter(|(_, token)| token.system == system && token.live(now))
            .take(excess)
            .map(|(order, token)| {
                let mut token = token.clone();
                token.ended = Some(End::Dropped(now));
                (order, token)
            })
            .collect()
    }

    /// Writes the store first: if that fails, memory still agrees with the store.
    fn write_through(&mut self, changes: Vec<(usize, Token)>) -> anyhow::Result<()> {
        let records = changes.iter().map(|(order, token)| (*order, token));
        self.store.save_tokens(records).context("the books cannot be written")?;
        for (order, token) in changes {
            self.enter(order, token);
        }
        Ok(())
    }

    fn enter(&mut self, order: usize, token: Token) {
        match self.tokens.get_mut(order) {
            Some(record) => *record = token,
            None => {
                self.by_id.insert(token.id.clone(), order);
                self.by_hash.insert(token.value_hash.clone(), order);
                if token.system == System::Reference {
                    self.by_name.insert(token.name.clone(), order);
                }
                self.tokens.push(token);
            }
        }
    }
}
