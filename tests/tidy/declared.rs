//! The page of declared services is made out of the comments with which their files begin.

use std::fmt::Write as _;

use super::reference::is_golden;
use super::{files, read};

const PAGE: &str = "docs/reference/declared-services.md";
const FOLDER: &str = "examples/services";
const HEAD: &str = "# Declared services

Declarations beside [the presets](../services.md): take the file, write your own address, prefix and variables into it, create the Secret of its
credential, try it with `kubectl artifact-token check-service`, and apply it. `Documented` says that the declaration goes through the whole
life of a token in the tests, against what the documents of the service say, and that no server has confirmed it. This page is written by
`UPDATE_GOLDEN=1 cargo test --test tidy`.
";

/// What each file says of itself, in this order; the last one is a list.
const PARTS: [&str; 5] = ["maturity", "sources", "Credentials", "Variables", "Traps"];

/// What stands before the first part, and each part.
fn parts(name: &str) -> (String, Vec<String>) {
    let text = read(name);
    let comment = text.lines().map_while(|line| line.strip_prefix('#'));
    let (mut about, mut parts): (String, Vec<String>) = Default::default();
    for line in comment {
        let line = line.strip_prefix(' ').unwrap_or(line);
        let next = PARTS.get(parts.len()).and_then(|part| line.strip_prefix(part)?.strip_prefix(':'));
        match (next, parts.last_mut()) {
            (Some(rest), _) => parts.push(rest.trim().to_owned()),
            (None, Some(part)) if line.trim_start().starts_with("- ") => {
                write!(part, "\n{}", line.trim_start()).unwrap()
            }
            (None, Some(part)) if part.contains("\n- ") => write!(part, "\n  {}", line.trim_start()).unwrap(),
            (None, Some(part)) => write!(part, " {}", line.trim_start()).unwrap(),
            (None, None) => write!(about, "{}{}", if about.is_empty() { "" } else { "\n" }, line.trim_end()).unwrap(),
        }
    }
    assert_eq!(
        parts.len(),
        PARTS.len(),
        "{name}: it must begin with comments: what it is, then {PARTS:?}, in this order"
    );
    (about, parts)
}

#[test]
fn the_page_of_declared_services_is_that_of_their_files() {
    let mut page = HEAD.to_owned();
    for name in files(FOLDER, "yaml") {
        let file = name.trim_start_matches(FOLDER).trim_matches('/').trim_end_matches(".yaml");
        let (about, parts) = parts(&name);
        let [maturity, sources, credentials, variables, traps] = parts.as_slice() else { unreachable!() };
        assert!(["Documented", "Tested"].contains(&maturity.as_str()), "{name}: maturity is Tested or Documented");
        let sources = sources.trim().replace("- ", "* ");
        let traps = traps.trim().replace("\n- ", "\n* ").replacen("- ", "* ", 1);
        write!(
            page,
            "\n## {file}\n\n{about}\n\nFile: [`{name}`](../../{name}). Maturity: {maturity}.\n\n* Credentials: {credentials}\n* Variables: {variables}\n\n\
             Traps:\n\n{traps}\n\nSources:\n\n{sources}\n"
        )
        .unwrap();
    }
    is_golden(PAGE, &page);
}
