//! One template of a declaration: text with holes. Each value is encoded for the part of the request that gets the text.
//!
//! Authors of service objects write templates; anybody may write values. So the environment is empty (no filters, no
//! functions, nothing with I/O), only `if` is allowed beside holes, work and output are bounded, and no error contains a
//! value.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, UndefinedBehavior};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::IgnoredAny;
use thiserror::Error;

/// The most bytes of a rendered text: four times the longest value.
const MAX_OUTPUT: usize = 64 * 1024;

/// The most instructions that one rendering may take; a template of 8 KiB stays far below.
const FUEL: u64 = 20_000;

/// The statements that a template may have. Loops and assignments could double a string until memory ends.
const STATEMENTS: [&str; 4] = ["if", "elif", "else", "endif"];

/// The bytes to percent-encode: all but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How values are encoded: by the part of the request that gets the rendered text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A path: a hole is one non-empty segment.
    Path,
    /// A header, query or form value. The code that builds the request encodes or checks it as a whole.
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
    /// A hole in a path is empty or made of dots, which would lead to another path.
    #[error("a value in the path is empty or only dots")]
    Segment,
    /// A hole outside JSON has a list.
    #[error("a list can only be used in json")]
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

/// A compiled template. Equal ones are shared: it takes ten kilobytes, and all services of a preset have the same ones.
#[derive(Clone, Debug)]
pub struct Template(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    environment: Environment<'static>,
    encoding: Encoding,
    holes: BTreeSet<String>,
}

/// The templates that are in use. One that no declaration has any more is freed, and its source once there are many such.
#[derive(Debug, Default)]
struct InUse {
    templates: HashMap<(Encoding, String), Weak<Compiled>>,
    /// At this number the freed ones are forgotten.
    most: usize,
}

static IN_USE: LazyLock<Mutex<InUse>> = LazyLock::new(Mutex::default);

impl InUse {
    fn known(&self, key: &(Encoding, String)) -> Option<Arc<Compiled>> {
        self.templates.get(key).and_then(Weak::upgrade)
    }

    /// The template to use: this one, or an equal one that somebody was faster with.
    fn keep(&mut self, key: (Encoding, String), compiled: Arc<Compiled>) -> Arc<Compiled> {
        if let Some(known) = self.known(&key) {
            return known;
        }
        if self.templates.len() >= self.most {
            self.templates.retain(|_, template| template.strong_count() > 0);
            self.most = 2 * self.templates.len() + 100;
        }
        self.templates.insert(key, Arc::downgrade(&compiled));
        compiled
    }
}

impl Template {
    /// Compiles `source`; its values get this `encoding`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn compile(source: &str, encoding: Encoding) -> Result<Self, String> {
        let key = (encoding, source.to_owned());
        let in_use = || IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = in_use().known(&key) {
            return Ok(Self(compiled));
        }
        // Nobody waits for the template of somebody else to be compiled.
        let compiled = Arc::new(Compiled::new(source, encoding)?);
        Ok(Self(in_use().keep(key, compiled)))
    }

    /// The names of its holes, for example `credentials.password`.
    pub fn holes(&self) -> &BTreeSet<String> {
        &self.0.holes
    }

    /// How its values are encoded.
    pub fn encoding(&self) -> Encoding {
        self.0.encoding
    }

    /// The text with `values` in its holes.
    ///
    /// # Errors
    /// See `RenderError`.
    pub fn render(&self, values: &serde_json::Value) -> Result<String, RenderError> {
        let template = self.0.environment.get_template("template").map_err(|_| RenderError::Failed)?;
        let mut output = Capped::default();
        match template.render_captured_to(Value::from(Serde(values)), &mut output) {
            Ok(_) => {}
            Err(_) if output.full => return Err(RenderError::TooLong),
            Err(error) => return Err(render_error(&error)),
        }
        let text = String::from_utf8(output.bytes).map_err(|_| RenderError::Failed)?;
        if self.0.encoding == Encoding::Json && serde_json::from_str::<IgnoredAny>(&text).is_err() {
            return Err(RenderError::NotJson);
        }
        Ok(text)
    }
}

impl Compiled {
    fn new(source: &str, encoding: Encoding) -> Result<Self, String> {
        check_statements(source)?;
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_formatter(move |output, _, value| format_hole(encoding, output, value));
        environment
            .add_template_owned("template", source.to_owned())
            .map_err(|error| format!("is not a template ({}): write holes like {{{{ name }}}}", error.kind()))?;
        let holes = holes(&environment);
        Ok(Self { environment, encoding, holes })
    }
}

fn holes(environment: &Environment<'_>) -> BTreeSet<String> {
    let template = environment.get_template("template");
    template.map(|template| template.undeclared_variables(true).into_iter().collect()).unwrap_or_default()
}

/// Every `{%` counts, also one in a string: this refuses too much at times, but never too little.
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

/// This module uses some error kinds of `minijinja` for its own errors: nothing else in an environment without filters and
/// functions raises them.
fn format_hole(encoding: Encoding, output: &mut Output<'_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let text = match encoding {
        Encoding::Json => serde_json::to_string(value).map_err(|_| Error::from(ErrorKind::BadSerialization))?,
        Encoding::Text | Encoding::Path if value.is_none() => return Err(Error::from(ErrorKind::MissingArgument)),
        Encoding::Text | Encoding::Path if !is_scalar(value) => return Err(Error::from(ErrorKind::TooManyArguments)),
        Encoding::Text => value.to_string(),
        Encoding::Path => segment(&value.to_string()).ok_or(Error::from(ErrorKind::InvalidDelimiter))?,
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

/// `text` as one path segment. A segment of dots stays special even when percent-encoded, so it cannot be sent.
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
