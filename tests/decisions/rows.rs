//! The rows of the table: each has one name for its function, its file, its lines in the documentation and its sections here.

use std::collections::BTreeSet;

use artifact_token_operator::rotation::plan::row_names;

use super::render_section;
use super::sections::SECTIONS;

fn read(file: &str) -> String {
    let path = format!("{}/src/rotation/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn each_row_is_the_function_and_the_file_of_its_name_and_the_documentation_has_them_in_order() {
    for row in row_names() {
        let function = format!("\npub(super) fn {row}(view: &View)");
        assert!(read(&format!("plan/{row}.rs")).contains(&function), "no function {row} in plan/{row}.rs");
    }
    let text = read("plan.rs");
    let cells = text.lines().filter_map(|line| line.strip_prefix("//! | ")?.split(' ').next());
    let documented: Vec<&str> = cells.filter(|cell| !["|", "row"].contains(cell)).collect();
    assert_eq!(documented, row_names().collect::<Vec<_>>(), "the table of plan.rs");
}

#[test]
fn each_row_has_a_section_in_which_it_speaks() {
    let mut shown = BTreeSet::new();
    for section in SECTIONS {
        let speaking = render_section(section).1;
        let about = section.title.split(':').next().unwrap().split(" and ");
        for row in about {
            assert!(
                speaking.contains(row),
                "## {}: the row {row} does not speak here, but {speaking:?}",
                section.title
            );
            shown.insert(row);
        }
    }
    // What no row matches ends in a wait in nearly every section.
    shown.insert("wait");
    assert_eq!(shown, row_names().collect(), "add a section to tests/decisions/sections.rs");
}
