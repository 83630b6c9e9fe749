//! `Template`: a text of the user's with holes.

use std::io;

use data_encoding::BASE64;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, context};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::refusal::Refusal;
use super::template_language;
use super::values::{Files, Values, file};
use crate::api::secret_template::DataEntry;
use crate::api::time::Time;

/// The most steps of one rendering.
const FUEL: u64 = 50_000;

/// The longest text that is rendered, in bytes, and the longest result of one filter: filters can be chained, and
/// each `json` doubles what the one before escaped.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;

/// What a template can name, for people.
const KNOWN: &str = "use token, id and expirationTime, and username or host where the entry has username or registry";

/// Stands for a token while there is none.
const SAMPLE_TOKEN: &str = "sample-token-0123456789";

/// An expiry for the sample: 2030-01-01T00:00:00Z.
const SAMPLE_EXPIRATION: Time = Time::from_millis(1_893_456_000_000);

/// Every byte but the unreserved ones of RFC 3986 is encoded, so that the result fits any part of a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Compiles the template of `entry` and renders it for samples with and without id and expiry, so that a template
/// that passes fails later only for the token's length.
pub(super) fn check(entry: &DataEntry) -> Result<(), Refusal> {
    for (id, expiration_time) in [("", None), ("sample-id", Some(SAMPLE_EXPIRATION))] {
        let values = Values { token: SAMPLE_TOKEN, id: Some(id), expiration_time };
        fill(source(entry)?, holes(entry, &values)).map_err(|error| match (error.kind(), error.line()) {
            (ErrorKind::UndefinedError, Some(line)) => wrong(format!("undefined value in line {line}: {KNOWN}")),
            _ => wrong(error.to_string()),
        })?;
    }
    Ok(())
}

/// Renders the template of `entry`.
///
/// **Invariant:** only the kind of a mistake is told, and the line: what the engine says in full could quote a value.
pub(super) fn render(entry: &DataEntry, values: &Values<'_>) -> Result<Files, Refusal> {
    let text = fill(source(entry)?, holes(entry, values)).map_err(|error| match error.line() {
        Some(line) => wrong(format!("{} in line {line}", error.kind())),
        None => wrong(error.kind().to_string()),
    })?;
    Ok(file(entry, text))
}

fn source(entry: &DataEntry) -> Result<&str, Refusal> {
    let source = entry.template.as_deref().ok_or_else(|| wrong("set it: format Template needs a text to write"))?;
    template_language::check(source).map_err(wrong)?;
    Ok(source)
}

fn wrong(reason: impl Into<String>) -> Refusal {
    Refusal::entry("template", reason)
}

/// What a template can name. Absent facts of a token are empty texts, which are false in an `if`; an absent username
/// or registry is a mistake in the spec, so naming it is an error.
fn holes(entry: &DataEntry, values: &Values<'_>) -> Value {
    context! {
        token => values.token,
        username => entry.username.as_deref().map_or(Value::UNDEFINED, Value::from),
        host => entry.registry.as_deref().map_or(Value::UNDEFINED, |registry| Value::from(host(registry))),
        id => values.id.unwrap_or_default(),
        expirationTime => values.expiration_time.map(|time| time.to_string()).unwrap_or_default(),
    }
}

/// A registry without its scheme and last slash.
fn host(registry: &str) -> &str {
    let host = registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://")).unwrap_or(registry);
    host.strip_suffix('/').unwrap_or(host)
}

fn fill(source: &str, holes: Value) -> Result<Vec<u8>, Error> {
    let mut environment = Environment::empty();
    // A file's last line keeps its end.
    environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("b64encode", |text: &str| capped(BASE64.encode(text.as_bytes())));
    environment.add_filter("urlencode", |text: &str| capped(utf8_percent_encode(text, RESERVED).to_string()));
    environment.add_filter("json", |text: &str| capped(json(text)));
    environment.add_filter("toml", |text: &str| capped(toml(text)));
    environment.add_filter("xml", |text: &str| capped(xml(text)?));
    let mut output = Capped(Vec::new());
    environment.template_from_str(source)?.render_captured_to(holes, &mut output)?;
    Ok(output.0)
}

fn capped(text: String) -> Result<String, Error> {
    if text.len() > MAX_OUTPUT_BYTES {
        return Err(Error::new(ErrorKind::InvalidOperation, "the result of a filter is longer than 64 KiB"));
    }
    Ok(text)
}

/// A JSON string with its quotes.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A TOML basic string with its quotes: JSON's escapes are a part of TOML's, which also wants DEL escaped.
fn toml(text: &str) -> String {
    json(text).replace('\u{7f}', "\\u007F")
}

/// Text for an XML element or a quoted attribute. Attributes lose line breaks and tabs that are not escaped; other
/// control characters cannot be written in XML 1.0 at all.
fn xml(text: &str) -> Result<String, Error> {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                return Err(Error::new(ErrorKind::InvalidOperation, "XML cannot carry a control character"));
            }
            _ => escaped.push(sign),
        }
    }
    Ok(escaped)
}

/// A buffer that refuses to grow past the limit.
struct Capped(Vec<u8>);

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT_BYTES {
            return Err(io::Error::other("the text is longer than 64 KiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
