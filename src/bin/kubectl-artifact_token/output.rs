//! What a command prints for programs, and how it looks on a terminal.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use artifact_token_operator::service::mask::plain;
use clap::ValueEnum;
use serde::Serialize;

use super::wait::plain_lines;

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

/// A line is at most so wide for people, if no word of it is longer.
pub const WIDTH: usize = 80;

/// A text for people in lines of [`WIDTH`]: all but the first begin with so many blanks. A command that it names stays on one line,
/// so that it can be copied.
pub fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        let (mut width, mut begun) = (0, false);
        for piece in pieces(line) {
            let long = shown_width(piece.trim_end());
            if begun && width + long > WIDTH {
                lines.truncate(lines.trim_end().len());
                lines.push('\n');
                lines.push_str(&" ".repeat(indent));
                width = indent;
            }
            lines.push_str(piece);
            begun |= long > 0;
            width += long + piece.len() - piece.trim_end().len();
        }
        lines.push('\n');
    }
    lines.truncate(lines.trim_end().len());
    lines
}

/// The words of a line, each with the blanks after it, and each command as one word.
fn pieces(line: &str) -> Vec<&str> {
    let (mut pieces, mut begun, mut command) = (Vec::new(), 0, false);
    let mut at = 0;
    for word in line.split_inclusive(' ') {
        at += word.len();
        command |= word == "kubectl ";
        command &= !word.trim_end().ends_with([';', ',', '.', ':']);
        if !command {
            pieces.push(&line[begun..at]);
            begun = at;
        }
    }
    pieces.push(&line[begun..]);
    pieces
}

/// How many columns a text needs, styles left out.
fn shown_width(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

/// Tells of an error. Without a backtrace, also where the shell asks Rust programs for them.
pub fn complain(error: &anyhow::Error) {
    eprintln!("{}", wrapped(&plain_lines(&format!("Error: {error:#}")), 2));
}

/// Prints a text as it is.
///
/// # Errors
/// When nobody reads it any more.
pub fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().write_all(text.as_bytes()).context("print")
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
    let cells = |row: &[String; N]| -> Vec<String> { shown.iter().map(|column| plain(&row[*column])).collect() };
    let lines: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..shown.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_wrapped_between_words_and_a_command_is_not() {
        let (words, longer) = (["0123456789"; 10].join(" "), "x".repeat(90));
        let seven = ["0123456789"; 7].join(" ");
        assert_eq!(wrapped(&words, 2), format!("{seven}\n  0123456789 0123456789 0123456789"));
        assert_eq!(wrapped(&format!("a {longer} b"), 2), format!("a\n  {longer}\n  b"));
        let (styled, plain) = (styled(BAD, &seven), seven);
        assert_eq!(wrapped(&format!("{styled} a"), 2), format!("{styled} a"), "a style has no width");
        let command = "kubectl artifact-token resume ci -n shop;";
        assert_eq!(wrapped(&format!("{plain} {command} then a"), 2), format!("{plain}\n  {command} then a"));
        assert_eq!(wrapped("a   b\nc", 2), "a   b\nc");
        assert_eq!(wrapped(&format!("    {longer}"), 2), format!("    {longer}"), "blanks are no line of their own");
    }
}
