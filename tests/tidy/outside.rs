//! What leads out of the process, and who owns it. `tests/simulation` can pretend a world only if everything goes through `World`,
//! and a life there can be lived again only if nothing else measures time or runs on its own.

use super::{code, files, names, read};

/// A word, the files that may have it, and what to do instead.
const OWNED: &[(&str, &[&str], &str)] = &[
    ("std::time::Instant", &[], "use tokio::time::Instant, which the simulation can set"),
    ("SystemTime", &[], "ask the clock in src/controller/clock.rs"),
    ("Utc::now", &["src/controller/clock.rs", "src/service/transport.rs"], "ask the clock in src/controller/clock.rs"),
    (
        "reqwest::",
        &[
            "src/service/http.rs",
            "src/service/http/body.rs",
            "src/service/http/causes.rs",
            "src/service/networks.rs",
            "src/service/resolver.rs",
        ],
        "send it through src/service/transport.rs",
    ),
    (
        "tokio::net",
        &["src/controller/admin/mod.rs", "src/service/resolver.rs"],
        "let it enter with src/controller/world.rs",
    ),
    (
        "tokio::spawn",
        &["src/controller/service/references.rs"],
        "use a JoinSet, which ends its tasks when it is dropped",
    ),
    ("spawn_blocking", &[], "it runs beside the simulated time"),
    ("std::thread", &[], "it runs beside the simulated time"),
];

/// Parts of the library: the binaries own what they touch.
fn library() -> impl Iterator<Item = String> {
    let test = |name: &str| name.ends_with("/tests.rs") || name.contains("/tests/");
    files("src", "rs")
        .into_iter()
        .filter(move |name| !test(name) && !name.starts_with("src/bin/") && name != "src/main.rs")
}

#[test]
fn what_leads_out_of_the_process_stands_only_in_the_files_that_own_it() {
    for name in library() {
        for (number, line) in code(&name).into_iter().take_while(|(_, line)| line != "mod tests {") {
            // An import with braces spells the path in two parts.
            let line = line.replace("std::time::{Duration, Instant}", "std::time::Instant");
            for (word, owners, instead) in OWNED {
                let found = names(&line, word) && !owners.contains(&name.as_str());
                assert!(!found, "{name}:{number} names {word}: {instead}");
            }
        }
    }
}

#[test]
fn nobody_owns_what_is_not_there() {
    for (word, owners, _) in OWNED {
        for owner in *owners {
            assert!(read(owner).contains(word), "{owner} has no {word} any more: strike it from OWNED");
        }
    }
}
