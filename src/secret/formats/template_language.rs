//! What a template may say: holes, and `if`, `elif`, `else`, `endif`.
//!
//! The engine's fuel counts steps, not the work inside one: `[[token] * 10000] * 10000 ~ ""` is a handful of steps and
//! takes all memory. Tenants write templates, so what can multiply is refused before the engine sees it: loops,
//! assignments, lists and every operator but comparison and joining. What is left grows with the length of the
//! template alone.

/// The tags that are let through.
const TAGS: [&str; 4] = ["if", "elif", "else", "endif"];

/// What may stand in a hole or tag outside quotes, beside letters, digits and blanks.
const SIGNS: &str = "_.|()=!<>~+-";

/// Checks `source`; the error is a sentence for the user.
pub(super) fn check(source: &str) -> Result<(), String> {
    let mut rest = source;
    while let Some(start) = rest.find('{') {
        let tag = &rest[start..];
        rest = if let Some(comment) = tag.strip_prefix("{#") {
            comment.split_once("#}").ok_or("a comment has no #}: close it")?.1
        } else if let Some(code) = tag.strip_prefix("{{") {
            after_code(code, "}}")?
        } else if let Some(code) = tag.strip_prefix("{%") {
            check_tag(code)?;
            after_code(code, "%}")?
        } else {
            &tag[1..]
        };
    }
    Ok(())
}

fn check_tag(code: &str) -> Result<(), String> {
    let code = code.trim_start_matches(['-', '+']).trim_start();
    let word = code.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').next().unwrap_or_default();
    if TAGS.contains(&word) {
        return Ok(());
    }
    Err(format!("the tag {word:?} is not allowed: use only if, elif, else and endif"))
}

/// What follows the hole or tag that `code` is the inside of.
fn after_code<'a>(code: &'a str, end: &str) -> Result<&'a str, String> {
    let mut quote = None;
    let mut escaped = false;
    for (at, sign) in code.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if sign == '\\' => escaped = true,
            Some(open) if sign == open => quote = None,
            Some(_) => {}
            None if code[at..].starts_with(end) => return Ok(&code[at + end.len()..]),
            None if sign == '"' || sign == '\'' => quote = Some(sign),
            None if sign.is_ascii_alphanumeric() || sign.is_ascii_whitespace() || SIGNS.contains(sign) => {}
            None => return Err(format!("{sign:?} is not allowed in a hole or tag: remove it")),
        }
    }
    Err(format!("a hole or tag has no {end}: close it"))
}
