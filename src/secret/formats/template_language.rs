//! The language of templates: holes, and `if`, `elif`, `else`, `endif`.
//!
//! The engine's fuel counts steps, not the work inside one: `[[token] * 10000] * 10000 ~ ""` is a handful of steps and
//! takes all memory. Tenants write templates, so everything that can multiply text is refused before the engine sees it:
//! loops, assignments, lists and every operator but comparison and joining. The output of the rest grows only with the
//! length of the template.

/// The tags that are allowed.
const TAGS: [&str; 4] = ["if", "elif", "else", "endif"];

/// The characters that a hole or tag may have outside quotes, beside letters, digits and spaces.
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

/// The text after the hole or tag in which `code` begins.
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
