#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

#[test]
fn one_value_is_found_and_nothing_or_two_are_errors_that_name_the_path() {
    let body = json!({"id": 7, "no": null, "empty": "", "rows": [{"id": "secret-a"}, {"id": "secret-b"}], "yes": true});
    let check = |path: &str, expected: Result<&str, &str>| {
        let found = JsonPath::parse(path).unwrap().scalar(&body).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{path}");
    };
    check("$.id", Ok("7"));
    check("$.yes", Ok("true"));
    check("$.rows[1].id", Ok("secret-b"));
    check("$.other", Err("nothing at $.other"));
    check("$.no", Err("nothing at $.no"));
    check("$.empty", Err("nothing at $.empty"));
    check("$.rows[*].id", Err("more than one value at $.rows[*].id: name one of them, for example by [0]"));
    check(
        "$.rows",
        Err(
            "a list at $.rows, which is not a string or a number that can be read exactly; its first element is $.rows[0]",
        ),
    );
    check(
        "$.rows[0]",
        Err(
            "an object at $.rows[0], which is not a string or a number that can be read exactly; name one field of it, such as $.rows[0].value",
        ),
    );
}

#[test]
fn two_numbers_are_never_read_as_one() {
    for number in
        ["18446744073709551616", "18446744073709551617", "-9223372036854775809", "1e300", "9007199254740993.0"]
    {
        let body: Value = serde_json::from_str(number).unwrap();
        let read = JsonPath::parse("$").unwrap().scalar(&body).map_err(|error| error.to_string());
        assert_eq!(
            read,
            Err("a number at $, which is not a string or a number that can be read exactly".to_owned()),
            "{number}"
        );
    }
    for number in ["18446744073709551615", "-9223372036854775808", "0.5", "-1", "1.0"] {
        let body: Value = serde_json::from_str(number).unwrap();
        assert_eq!(JsonPath::parse("$").unwrap().scalar(&body).as_deref(), Ok(number));
    }
}

#[test]
fn an_empty_list_is_not_an_answer_of_another_shape() {
    let rows = |path: &str, body: Value| RowsPath::parse(path).unwrap().rows(&body).map(|rows| rows.len()).ok();
    assert_eq!(rows("$.items[*]", json!({"items": [1, 2]})), Some(2));
    assert_eq!(rows("$.items[*]", json!({"items": []})), Some(0));
    assert_eq!(rows("$.items[*]", json!({"items": null})), Some(0));
    assert_eq!(rows("$.items[*]", json!({"message": "try later"})), None);
    assert_eq!(rows("$.items[*]", json!({"items": "none"})), None);
    assert_eq!(rows("$[*]", json!([1])), Some(1));
    assert_eq!(rows("$.items[?@.status=='Active']", json!({"items": [{"status": "Expired"}]})), Some(0));
    assert!(RowsPath::parse("$.items").is_err());
    assert!(JsonPath::parse("items").is_err());
}

#[test]
fn a_path_into_an_answer_that_is_a_list_is_told_so() {
    let error = JsonPath::parse("$.id").unwrap().scalar(&json!([{"id": "a"}])).unwrap_err();
    let expected = "nothing at $.id: the answer itself is a list, so a path begins with $[0], and that of rows is $[*]";
    assert_eq!(error.to_string(), expected);
    let error = RowsPath::parse("$.items[*]").unwrap().rows(&json!([])).unwrap_err();
    assert!(error.to_string().ends_with("that of rows is $[*]"), "{error}");
    let error = RowsPath::parse("$.items[*]").unwrap().rows(&json!({"items": "x"})).unwrap_err();
    assert_eq!(error.to_string(), "a text at $.items, which is not a list");
    for (rows, container) in [
        ("$[*]", "$"),
        ("$.items.*", "$.items"),
        ("$.items[?@.a[0].b == 'x']", "$.items"),
        ("$.a[?@.b][*]", "$.a[?@.b]"),
        ("$['items'][?@.status=='Active']", "$['items']"),
    ] {
        assert!(RowsPath::parse(rows).is_ok());
        assert_eq!(container_of(rows), container, "{rows}");
    }
}

#[test]
fn what_a_filter_leaves_out_still_stands_in_the_list() {
    let path = RowsPath::parse("$.items[?@.revoked==false]").unwrap();
    let body = json!({"items": [{"revoked": true}, {"revoked": true}]});
    assert_eq!((path.rows(&body).unwrap().len(), path.unfiltered(&body).unwrap().len()), (0, 2));
    assert_eq!(path.unfiltered(&json!({"items": null})).unwrap().len(), 0);
}

fn read_time(value: &Value) -> Result<Option<String>, String> {
    let time = JsonPath::parse("$.t").unwrap().time(&json!({"t": value}));
    time.map(|time| time.map(|time| time.to_string())).map_err(|error| error.to_string())
}

#[test]
fn times_of_many_services_are_read() {
    let first = "2026-11-01T00:00:00Z";
    for text in [
        "2026-11-01T02:00:00+02:00",
        "2026-11-01T00:00:00.123+0000",
        "2026-11-01 00:00",
        "2026-11-01",
        "2026-11-01T00:00Z",
        "2026-11-01T00:00",
        "2026-11-01T02:00+02:00",
        "2026-10-31T22:00-02",
        "2026-11-01T01:00+01:00[Europe/Berlin]",
        "2026-11-01T00:00:00",
        "2026-11-01 00:00:00 UTC",
        "2026-11-01 02:00:00 +0200",
        " 2026-11-01T00:00:00Z ",
        "Sun, 01 Nov 2026 00:00:00 GMT",
        "1793491200",
        "1793491200000",
    ] {
        assert_eq!(read_time(&json!(text)), Ok(Some(first.to_owned())), "{text}");
    }
    for number in [json!(1_793_491_200), json!(1_793_491_200_000_i64), json!(1_793_491_200.5)] {
        assert_eq!(read_time(&number), Ok(Some(first.to_owned())), "{number}");
    }
    for last in [json!("9999-12-31T23:59:59Z"), json!(9.9e300)] {
        assert_eq!(read_time(&last), Ok(Some("9999-12-31T23:59:59Z".to_owned())), "{last}");
    }
}

#[test]
fn an_empty_text_and_the_zero_times_of_languages_are_no_time() {
    let zero = [json!("0001-01-01T00:00:00Z"), json!("1970-01-01T00:00Z"), json!(0), json!("0"), json!(-1)];
    for none in zero.into_iter().chain([json!(""), json!(" "), json!(-9.9e300), json!(i64::MIN), json!(null)]) {
        assert_eq!(read_time(&none), Ok(None), "{none}");
    }
}

#[test]
fn what_is_no_time_is_told_by_its_kind_and_a_length_is_not_taken_for_a_time() {
    let check = |value: Value, expected: &str| assert_eq!(read_time(&value), Err(expected.to_owned()), "{value}");
    check(json!("soon"), "a text at $.t, which is not a time");
    check(json!(true), "true or false at $.t, which is not a time");
    check(json!(["2026-11-01"]), "a list at $.t, which is not a time; its first element is $.t[0]");
    for length in [json!(1), json!(86_400), json!("3600"), json!(315_360_000)] {
        assert!(read_time(&length).is_err(), "{length}");
    }
    for ambiguous in ["20261101", "01/02/2026", "2026-13-01T00:00Z", "2026-11-01T00:00+99:99", "+5", "2026-11-01T00"] {
        assert_eq!(read_time(&json!(ambiguous)), Err("a text at $.t, which is not a time".to_owned()), "{ambiguous}");
    }
}

#[test]
fn a_length_is_read_where_it_is_declared_and_a_time_is_not_taken_for_one() {
    let read = |value: Value| JsonPath::parse("$.t").unwrap().seconds(&json!({"t": value}));
    let hour = Some(Duration::from_secs(3600));
    for value in [json!(3600), json!("3600"), json!(3600.0), json!(" 3600.5 ")] {
        assert_eq!(read(value.clone()), Ok(hour), "{value}");
    }
    for none in [json!(0), json!(-1), json!("0"), json!(""), json!(null)] {
        assert_eq!(read(none.clone()), Ok(None), "{none}");
    }
    for wrong in [json!(1_793_491_200), json!("2026-11-01"), json!("1h"), json!("1e3"), json!("."), json!([60])] {
        assert!(read(wrong.clone()).is_err(), "{wrong}");
    }
}
