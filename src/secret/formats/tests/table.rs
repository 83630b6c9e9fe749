//! What holds for every format: a new one is covered once it has its word, its shape, its file and its row.

use super::*;

/// `entry` without the field, if it has it.
fn without(entry: &DataEntry, field: &str) -> Option<DataEntry> {
    let mut entry = entry.clone();
    let had = match field {
        "username" => entry.username.take().is_some(),
        "registry" => entry.registry.take().is_some(),
        "template" => entry.template.take().is_some(),
        other => panic!("{other}"),
    };
    had.then_some(entry)
}

#[test]
fn every_format_is_written_and_is_read_back_where_its_shape_says_so() {
    for format in Format::ALL {
        let entry = entry(format);
        let data = rendered(&entry, AWKWARD).expect("renders");
        assert!(data.contains_key(&entry.key), "{format}: the entry's own key");
        assert_eq!(is_readable(format), format.shape().readable, "{format}");
        assert_eq!(token_of(&entry, &data).as_deref(), format.shape().readable.then_some(AWKWARD), "{format}");
    }
}

#[test]
fn every_format_says_before_there_is_a_token_which_keys_it_writes() {
    for format in Format::ALL {
        let entry = entry(format);
        let keys = super::super::check(&entry).expect("is right");
        let written: Vec<_> = rendered(&entry, AWKWARD).expect("renders").into_keys().collect();
        let sorted: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(sorted.into_iter().collect::<Vec<_>>(), written.iter().collect::<Vec<_>>(), "{format}");
    }
}

#[test]
fn every_format_asks_for_the_fields_that_its_shape_needs_and_names_the_one_that_is_missing() {
    for format in Format::ALL {
        let whole = match format.shape().username {
            Username::WithBasic => {
                DataEntry { username: Some("u".to_owned()), auth: Some(NpmAuth::Basic), ..entry(format) }
            }
            Username::Refused | Username::Optional | Username::Required => entry(format),
        };
        assert!(super::super::check(&whole).is_ok(), "{format}");
        for field in ["username", "registry", "template"] {
            let Some(entry) = without(&whole, field) else { continue };
            let error = super::super::check(&entry).expect_err(field);
            let start = format!("spec.secret.data[{}].{field}: ", entry.key);
            assert!(error.starts_with(&start), "{format} without {field}: {error}");
        }
        if format.shape().registry == Registry::Url {
            let entry = DataEntry { registry: Some("npm.example".to_owned()), ..whole };
            assert!(super::super::check(&entry).is_err(), "{format}: a registry that is no URL");
        }
    }
}
