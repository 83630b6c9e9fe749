//! For each pattern in the schemas: a text of any length that matches, and texts that only just fail to match.

/// A pattern of the schemas.
pub struct Sample {
    pattern: &'static str,
    /// Makes a text of exactly this many characters.
    make: fn(usize) -> String,
    /// Texts that the pattern must refuse.
    pub wrong: &'static [&'static str],
}

const SAMPLES: &[Sample] = &[
    Sample { pattern: "^[A-Za-z0-9 ._-]*$", make: letters, wrong: &["a/b", "a{{b}}", "ä", "a\nb"] },
    Sample { pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$", make: duration, wrong: &["1d", "-1h", "1.5h", "1", "123456s"] },
    Sample {
        pattern: "^(Never|([0-9]{1,5}(h|m|s|ms)){1,4})$",
        make: duration,
        wrong: &["never", "30d", "Never1h", "1h Never"],
    },
    Sample {
        pattern: r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$",
        make: |_| "2026-11-01T00:00:00.123456789+23:59".to_owned(),
        wrong: &["2026-11-01T00:00:00+99:00", "2026-11-01T00:00:00", "2026-11-01T00:00:00x5Z", "2026-11-01"],
    },
    Sample {
        pattern: r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        make: letters,
        wrong: &["Upper", "a_b", "-a", "a-", "a..b", "a/b"],
    },
    Sample {
        pattern: "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        make: letters,
        wrong: &["-a", "a.", "a b", "a/b"],
    },
    Sample {
        pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        make: letters,
        wrong: &["Upper", "a_b", "-a", "a-", "a.b", "a/b"],
    },
    Sample {
        pattern: r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        make: letters,
        wrong: &["-a", "a-", "a b", "a/", "/a", "A/b", "a/b/c"],
    },
    Sample { pattern: "^[-._a-zA-Z0-9]+$", make: letters, wrong: &["a/b", "a b", "ä"] },
    Sample { pattern: "^[!-9;-~]+$", make: letters, wrong: &["a:b", "a b", "ä", "a\nb"] },
    Sample {
        pattern: "^(https?://)?[a-zA-Z0-9.-]+(:[0-9]{1,5})?(/[a-zA-Z0-9._~%@+/-]*)?$",
        make: |length| if length < 12 { letters(length) } else { behind("https://", length) },
        wrong: &["ftp://a", "https://", "https://u:p@a/", "a?b", "a#b", "a b", "a:123456"],
    },
    Sample {
        pattern: "^@[a-z0-9~-][a-z0-9._~-]*$",
        make: |length| behind("@", length),
        wrong: &["payments", "@.a", "@A", "@a/b"],
    },
    Sample { pattern: "^[a-z0-9-]+$", make: letters, wrong: &["Prod", "a_b", "a b"] },
    Sample { pattern: "^[A-Za-z][A-Za-z0-9_]*$", make: letters, wrong: &["1a", "a-b", "_a"] },
    Sample { pattern: r"^\$", make: |length| behind("$.", length.max(2)), wrong: &["id", " $.id"] },
    Sample {
        pattern: r"^https?://[A-Za-z0-9._:\[\]-]+(/[^?#\s]*)?$",
        make: |length| behind("https://", length),
        wrong: &["ftp://a", "https://", "https://u:p@a/", "https://a?b", "https://a#b", "https://a/b c", "a"],
    },
    Sample {
        pattern: r"^https?://[A-Za-z0-9._:\[\]-]+/?$",
        make: |length| behind("https://", length),
        wrong: &["socks5://a", "https://", "https://u:p@a/", "https://a/b", "https://a?b", "a:3128"],
    },
    Sample { pattern: "^/[^?#]*$", make: |length| behind("/", length), wrong: &["a", "/a?b", "/a#b"] },
];

/// The sample of `pattern`. A new pattern needs a new sample above.
pub fn sample(pattern: &str) -> &'static Sample {
    let found = SAMPLES.iter().find(|sample| sample.pattern == pattern);
    found.unwrap_or_else(|| panic!("say in samples.rs how a text of the pattern {pattern} looks"))
}

/// A text of `length` characters that matches `pattern`, if there is one, and keeps the rules of the field at `path`.
pub fn text(path: &str, pattern: Option<&str>, length: usize) -> String {
    if path == "/spec/baseURL" {
        return behind("https://", length);
    }
    pattern.map_or(letters as fn(usize) -> String, |pattern| sample(pattern).make)(length)
}

fn letters(length: usize) -> String {
    "a".repeat(length)
}

fn behind(start: &str, length: usize) -> String {
    format!("{start}{}", letters(length.saturating_sub(start.len())))
}

/// The longest duration is in milliseconds, because only these have two letters.
fn duration(length: usize) -> String {
    if length == 28 { "99999ms".repeat(4) } else { "9s".to_owned() + &letters(length.saturating_sub(2)) }
}
