//! Who may know whom: no circle of imports between files, no arrow from a lower room to a higher one, one public face.

use std::collections::{BTreeMap, BTreeSet};

use super::{code, files, read};

/// Each room, and the rooms that it may know beside itself. Rooms within `controller` are listed separately; `controller` stands for the
/// files beside them.
const ROOMS: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("telemetry", &[]),
    ("rotation", &["api"]),
    ("secret", &["api"]),
    ("service", &["api"]),
    ("controller", &["api", "rotation", "secret", "service", "controller::admin", "controller::registry"]),
    ("controller::admin", &["api", "rotation", "service", "controller", "controller::registry"]),
    ("controller::registry", &["api", "rotation", "service"]),
    (
        "controller::service",
        &["api", "rotation", "secret", "service", "controller", "controller::admin", "controller::registry"],
    ),
    (
        "controller::token",
        &["api", "rotation", "secret", "service", "controller", "controller::admin", "controller::registry"],
    ),
    ("controller::election", &["api", "controller", "controller::admin", "controller::registry"]),
    // The wiring of everything, and what a program sees of it.
    (
        "controller::run",
        &[
            "api",
            "controller",
            "controller::admin",
            "controller::registry",
            "controller::service",
            "controller::token",
            "controller::election",
        ],
    ),
    ("operator", &["controller", "controller::admin", "controller::run"]),
];

/// The files of the library, without tests and binaries, by their module paths.
fn modules() -> BTreeMap<String, String> {
    let library = files("src", "rs").into_iter().filter(|name| {
        let test = name.ends_with("/tests.rs") || name.contains("/tests/");
        !test && !name.starts_with("src/bin/") && name != "src/main.rs" && name != "src/lib.rs"
    });
    let path = |name: &str| {
        let inner = name.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        inner.replace('/', "::")
    };
    library.map(|name| (path(&name), name)).collect()
}

/// The modules that `module` names in its code, unit tests left out.
fn named_by(module: &str, modules: &BTreeMap<String, String>) -> BTreeSet<String> {
    let text: String = code(&modules[module])
        .into_iter()
        .map(|(_, line)| line)
        .take_while(|line| line != "mod tests {")
        .map(|line| line + "\n")
        .collect();
    let mut named = BTreeSet::new();
    let children = modules.keys().filter_map(|other| other.strip_prefix(&format!("{module}::")));
    let children = children.filter(|child| !child.contains("::") && text.contains(&format!(" {child}::")));
    let children: Vec<String> = children.map(str::to_owned).collect();
    for path in paths(&text).into_iter().chain(children) {
        let path = absolute(&path, module, modules);
        // The longest beginning that is a file: what follows is an item of it.
        let mut parts: Vec<&str> = path.split("::").collect();
        while !parts.is_empty() && !modules.contains_key(&parts.join("::")) {
            parts.pop();
        }
        if !parts.is_empty() && parts.join("::") != module {
            named.insert(parts.join("::"));
        }
    }
    named
}

/// All paths in `text`: those of `use` declarations with their braces spelt out, and those in expressions and types.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let begins =
            rest[..at].ends_with('\n') || at == 0 || rest[..at].ends_with("pub ") || rest[..at].ends_with(") ");
        let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
        if begins {
            let tree = rest[at + 4..end].split(" as ").next().unwrap_or_default();
            let tree: String = tree.split_whitespace().collect();
            spell_out("", &tree, &mut found);
        }
        rest = &rest[end.min(rest.len())..];
        rest = rest.strip_prefix(';').unwrap_or(rest);
    }
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let path = text[at..].split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next();
            found.extend(path.map(|path| path.trim_end_matches(':').to_owned()));
        }
    }
    found
}

fn spell_out(before: &str, tree: &str, found: &mut Vec<String>) {
    let Some((path, inner)) = tree.split_once('{') else {
        found.push(format!("{before}{tree}"));
        return;
    };
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if at > start {
                    spell_out(&format!("{before}{path}"), &inner[start..at], found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// A path from the crate's root on. One that begins with neither `crate` nor `super` may name a child module.
fn absolute(path: &str, module: &str, modules: &BTreeMap<String, String>) -> String {
    if let Some(path) = path.strip_prefix("crate::") {
        return path.to_owned();
    }
    let (mut base, mut path) = (module, path);
    while let Some(rest) = path.strip_prefix("super::") {
        (base, path) = (base.rsplit_once("::").map_or("", |(parent, _)| parent), rest);
    }
    let child = format!("{base}::{path}");
    let first = path.split("::").next().unwrap_or_default();
    let known = modules.contains_key(&format!("{base}::{first}")) || base != module;
    if known { child.trim_start_matches("::").to_owned() } else { String::new() }
}

fn room(module: &str) -> &str {
    let inner = ROOMS.iter().map(|(room, _)| *room).filter(|room| room.contains("::"));
    let inner = inner.into_iter().find(|room| module == *room || module.starts_with(&format!("{room}::")));
    inner.unwrap_or_else(|| module.split("::").next().unwrap_or_default())
}

#[test]
fn no_circle_of_imports_joins_files() {
    let modules = modules();
    let arrows: BTreeMap<_, _> = modules.keys().map(|module| (module.clone(), named_by(module, &modules))).collect();
    assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 200, "the imports are read: {arrows:#?}");
    // What names nobody that is left is taken away, again and again; a circle is what stays.
    let mut left: BTreeSet<&String> = arrows.keys().collect();
    loop {
        let ends = |module: &&String| !arrows[*module].iter().any(|named| left.contains(named));
        let done: Vec<&String> = left.iter().copied().filter(|module| ends(module)).collect();
        if done.is_empty() {
            break;
        }
        left.retain(|module| !done.contains(module));
    }
    let circle: BTreeMap<_, Vec<_>> = left
        .iter()
        .map(|module| (*module, arrows[*module].iter().filter(|named| left.contains(named)).collect()))
        .collect();
    assert!(circle.is_empty(), "these files import each other, or lead to those that do: {circle:#?}");
}

#[test]
fn no_room_knows_a_higher_one() {
    let modules = modules();
    for module in modules.keys() {
        let own = room(module);
        let (_, allowed) =
            ROOMS.iter().find(|(room, _)| *room == own).unwrap_or_else(|| panic!("{module} is in no room"));
        for named in named_by(module, &modules) {
            let other = room(&named);
            let may = other == own || allowed.contains(&other);
            assert!(may, "{module} ({own}) names {named} ({other}), and may know only {allowed:?}");
        }
    }
}

#[test]
fn the_controller_shows_nothing_beside_its_face() {
    let face: BTreeSet<String> = paths(&read("src/operator.rs")).into_iter().collect();
    let face: BTreeSet<&str> = face.iter().filter_map(|path| path.rsplit("::").next()).collect();
    // The compiler warns of every item that is public and cannot be reached; the lints run with warnings denied.
    assert!(read("src/controller/mod.rs").contains("#![warn(unreachable_pub)]"));
    assert!(read("src/lib.rs").lines().any(|line| line == "mod controller;"), "the controller is private to the crate");
    for name in files("src/controller", "rs") {
        for line in read(&name).lines().filter(|line| line.starts_with("pub ")) {
            let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
            let shown = words.into_iter().any(|word| face.contains(word));
            assert!(shown, "{name} shows beside the face in src/operator.rs: {line}");
        }
    }
}

#[test]
fn imports_are_read_as_the_compiler_reads_them() {
    let text = "use crate::api::{ids::is_token_id, time::Time};\npub(crate) use super::key::{Change, Key};\nlet a = crate::x::y(1);\n";
    let wanted = [
        "crate::api::ids::is_token_id",
        "crate::api::time::Time",
        "super::key::Change",
        "super::key::Key",
        "crate::x::y",
    ];
    let found = paths(text);
    let missing: Vec<_> = wanted.iter().filter(|path| !found.contains(&(**path).to_owned())).collect();
    assert!(missing.is_empty(), "{missing:?} of {found:?}");
    let modules = modules();
    let named = named_by("controller::token::perform::secret::publish", &modules);
    for wanted in [
        "controller::token::pass",
        "controller::token::perform::secret::access",
        "rotation::observed",
        "secret::metadata",
    ] {
        assert!(named.contains(wanted), "{wanted} is not in {named:?}");
    }
}
