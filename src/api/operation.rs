//! The operations of a service.

/// An operation of a service. The words for people are in [`Operation::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Makes a token.
    Generate,
    /// Says whether a token is accepted.
    Verify,
    /// Lists the tokens.
    List,
    /// Ends a token.
    Revoke,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Generate, Self::Verify, Self::List, Self::Revoke];

    /// Whether it changes what lives at the service.
    pub fn changes(self) -> bool {
        matches!(self, Self::Generate | Self::Revoke)
    }

    /// Its verb, for metrics and messages. Messages of the client begin with it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Verify => "verify",
            Self::List => "list",
            Self::Revoke => "revoke",
        }
    }
}

/// What a call says about its operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Worked,
    /// No answer came.
    Unanswered(String),
    /// The answer shows that it does not work.
    Failed(String),
    /// The answer shows that it does not work for one token, and perhaps for no other: whose call that was.
    FailedFor {
        /// Who called.
        caller: String,
        /// What it was.
        what: String,
    },
}
