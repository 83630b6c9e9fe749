//! What a command prints for programs, and how it looks on a terminal.

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;

/// How the output looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// The same with more columns.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Each as TYPE/NAME.
    Name,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Decides it for all that is printed by anstream from now on.
    pub fn apply(self) {
        let choice = match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// How good news, a warning and bad news look.
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// A text in a style, which the printer drops where there are no colours.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// For programs.
///
/// # Errors
/// When it cannot be written as text, which no value here does.
pub fn machine(value: &impl Serialize, format: Format) -> anyhow::Result<String> {
    match format {
        Format::Yaml => serde_saphyr::to_string(value).context("write YAML"),
        _ => serde_json::to_string_pretty(value).context("write JSON").map(|text| text + "\n"),
    }
}

/// Lines with columns as wide as their widest cell, three blanks apart. Tenants choose some of the texts, so no control character of
/// theirs reaches the terminal.
pub fn table<const N: usize>(rows: &[[String; N]], shown: &[usize]) -> String {
    let cells =
        |row: &[String; N]| -> Vec<String> { shown.iter().map(|column| super::wait::plain(&row[*column])).collect() };
    let lines: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..shown.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}
