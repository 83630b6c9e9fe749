//! The arguments.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures what lives of ArtifactTokens cost.
#[derive(Debug, Parser)]
pub struct Options {
    /// How many ArtifactTokens.
    #[arg(long, default_value_t = 1000)]
    pub objects: usize,
    /// How many TokenServices they use.
    #[arg(long, default_value_t = 40)]
    pub services: usize,
    /// Only these works, separated by commas. What they need is done all the same, but not shown.
    #[arg(long, value_delimiter = ',', value_enum)]
    pub only: Vec<Work>,
    /// Where to write the table as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// `cargo bench` gives it to every bench.
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// A part of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// The raw client.
    #[value(name = "W0")]
    Raw,
    /// First tokens.
    #[value(name = "W1")]
    Issue,
    /// Rotations.
    #[value(name = "W3a")]
    Rotate,
    /// Deletions.
    #[value(name = "W4")]
    Delete,
    /// A restart.
    #[value(name = "W5")]
    Restart,
    /// `TokenService`s at rest.
    #[value(name = "services")]
    Services,
}

impl Options {
    /// Whether a work is wanted. The memory of services takes minutes for itself, so it must be asked for.
    pub fn wants(&self, work: Work) -> bool {
        if self.only.is_empty() { work != Work::Services } else { self.only.contains(&work) }
    }

    /// Whether the works need objects.
    pub fn wants_objects(&self) -> bool {
        [Work::Issue, Work::Rotate, Work::Delete, Work::Restart].into_iter().any(|work| self.wants(work))
    }
}
