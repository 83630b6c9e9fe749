//! The part of npm's `ini` (version 5 and 6, `lib/ini.js`) that an `.npmrc` needs: one writer, one faithful reader.

use std::collections::BTreeMap;

/// One line. `key` must not have `=`, `;`, `#`, quotes, backslashes or spaces.
///
/// The value is plain where it reads back unchanged, else quoted as JSON. (The writer of `ini` itself escapes `;` and `#`
/// but not the backslash before them, so that some values change.)
pub(super) fn line(key: &str, value: &str) -> String {
    let plain = |sign: char| sign.is_ascii_graphic() && !";#\\\"'".contains(sign);
    if !value.is_empty() && value.chars().all(plain) {
        format!("{key}={value}\n")
    } else {
        format!("{key}={}\n", serde_json::Value::from(value))
    }
}

/// The keys outside sections with their values; `None` for a value that is not text.
pub(super) fn read(text: &str) -> BTreeMap<String, Option<String>> {
    let mut values = BTreeMap::new();
    for line in text.split(['\r', '\n']) {
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if line.starts_with('[') && line.ends_with(']') {
            break;
        }
        match line.split_once('=') {
            Some((key, value)) => values.insert(unquote(key).unwrap_or_default(), unquote(value)),
            None => values.insert(unquote(line).unwrap_or_default(), None),
        };
    }
    values
}

/// `unsafe` of `ini.js`.
fn unquote(text: &str) -> Option<String> {
    let text = text.trim();
    let quoted = |quote: char| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if quoted('"') {
        return Some(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()));
    }
    if quoted('\'') {
        let inner = &text[1..text.len() - 1];
        return match serde_json::from_str(inner) {
            Ok(serde_json::Value::String(value)) => Some(value),
            Ok(_) => None,
            Err(_) => Some(inner.to_owned()),
        };
    }
    Some(unescape(text))
}

/// Ends at the first `;` or `#` that has no backslash before it, and removes such backslashes.
fn unescape(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            ';' | '#' => break,
            '\\' => match signs.next() {
                Some(next @ ('\\' | ';' | '#')) => value.push(next),
                Some(next) => value.extend(['\\', next]),
                None => value.push('\\'),
            },
            _ => value.push(sign),
        }
    }
    value.trim().to_owned()
}
