//! One template of a declaration: text with holes, each encoded for the place where the text goes.
//!
//! Templates are written by whoever may write service objects, values by anybody. So the environment is empty (no
//! filters, no functions, nothing with I/O), only `if` is allowed beside holes, work and output are bounded, and no
//! error carries a value.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, UndefinedBehavior};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::IgnoredAny;
use thiserror::Error;

/// The most bytes that one template may render to: four times the longest value.
const MAX_OUTPUT: usize = 64 * 1024;

/// The most instructions that one rendering may take; a template of 8 KiB stays far below.
const FUEL: u64 = 20_000;

/// The statements that a template may have. Loops and assignments could double a string until memory ends.
const STATEMENTS: [&str; 4] = ["if", "elif", "else", "endif"];

/// What is percent-encoded: every byte but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the rendered text goes, which decides how a hole is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A path: a hole is one non-empty segment.
    Path,
    /// A header, query or form value, which is encoded or checked as a whole where the request is built.
    Text,
    /// A JSON document: a hole is a JSON value.
    Json,
}

/// Why a template gave no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RenderError {
    /// A hole has no value, for example a lifetime of a token that never expires.
    #[error("a hole has no value")]
    Absent,
    /// A hole in a path is empty or made of dots, which would name another place.
    #[error("a value in the path is empty or only dots")]
    Segment,
    /// A list stands where only text can.
    #[error("a list can only stand in json")]
    List,
    /// The text is longer than 64 KiB.
    #[error("the rendered text is longer than 64 KiB")]
    TooLong,
    /// The text is not JSON.
    #[error("the rendered text is not JSON; holes become JSON values with their quotes, so put none around them")]
    NotJson,
    /// Anything else.
    #[error("the template cannot be rendered")]
    Failed,
}

/// A compiled template.
#[derive(Clone, Debug)]
pub struct Template {
    environment: Arc<Environment<'static>>,
    place: Place,
    holes: BTreeSet<String>,
}

impl Template {
    /// Compiles `source` for `place`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn compile(source: &str, place: Place) -> Result<Self, String> {
        check_statements(source)?;
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_formatter(move |output, _, value| format_hole(place, output, value));
        environment
            .add_template_owned("template", source.to_owned())
            .map_err(|error| format!("is not a template ({}): write holes like {{{{ name }}}}", error.kind()))?;
        let holes = holes(&environment);
        Ok(Self { environment: Arc::new(environment), place, holes })
    }

    /// The names of its holes, for example `credentials.password`.
    pub fn holes(&self) -> &BTreeSet<String> {
        &self.holes
    }

    /// Where its text goes.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The text with `values` in its holes.
    ///
    /// # Errors
    /// See `RenderError`.
    pub fn render(&self, values: &serde_json::Value) -> Result<String, RenderError> {
        let template = self.environment.get_template("template").map_err(|_| RenderError::Failed)?;
        let mut output = Capped::default();
        match template.render_captured_to(Value::from(Serde(values)), &mut output) {
            Ok(_) => {}
            Err(_) if output.full => return Err(RenderError::TooLong),
            Err(error) => return Err(render_error(&error)),
        }
        let text = String::from_utf8(output.bytes).map_err(|_| RenderError::Failed)?;
        if self.place == Place::Json && serde_json::from_str::<IgnoredAny>(&text).is_err() {
            return Err(RenderError::NotJson);
        }
        Ok(text)
    }
}

fn holes(environment: &Environment<'_>) -> BTreeSet<String> {
    let template = environment.get_template("template");
    template.map(|template| template.undeclared_variables(true).into_iter().collect()).unwrap_or_default()
}

/// Any `{%` counts, also one in a string: strict, but never wrong.
fn check_statements(source: &str) -> Result<(), String> {
    for rest in source.split("{%").skip(1) {
        let word: String =
            rest.trim_start_matches(['-', '+']).trim_start().chars().take_while(char::is_ascii_alphanumeric).collect();
        if !STATEMENTS.contains(&word.as_str()) {
            return Err(format!("the tag {word:?} is not allowed: use only if, elif, else and endif"));
        }
    }
    Ok(())
}

/// The kinds of `minijinja` that this module raises itself stand for its own errors: nothing else in an environment
/// without filters and functions raises them.
fn format_hole(place: Place, output: &mut Output<'_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let text = match place {
        Place::Json => serde_json::to_string(value).map_err(|_| Error::from(ErrorKind::BadSerialization))?,
        Place::Text | Place::Path if value.is_none() => return Err(Error::from(ErrorKind::MissingArgument)),
        Place::Text | Place::Path if !is_scalar(value) => return Err(Error::from(ErrorKind::TooManyArguments)),
        Place::Text => value.to_string(),
        Place::Path => segment(&value.to_string()).ok_or(Error::from(ErrorKind::InvalidDelimiter))?,
    };
    output.write_str(&text).map_err(Error::from)
}

fn is_scalar(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::String | ValueKind::Number | ValueKind::Bool)
}

fn render_error(error: &Error) -> RenderError {
    match error.kind() {
        ErrorKind::MissingArgument => RenderError::Absent,
        ErrorKind::TooManyArguments => RenderError::List,
        ErrorKind::InvalidDelimiter => RenderError::Segment,
        _ => RenderError::Failed,
    }
}

/// `text` as one path segment. Dots alone stay special even when percent-encoded, so there is no way to send them.
fn segment(text: &str) -> Option<String> {
    (!text.bytes().all(|byte| byte == b'.')).then(|| percent_encode(text))
}

/// Percent-encodes everything but RFC 3986's unreserved characters: right for path segments, queries and forms.
pub fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A buffer that refuses to grow beyond `MAX_OUTPUT`.
#[derive(Default)]
struct Capped {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
