//! The page of metrics in the format that its reader asks for.

use std::collections::HashMap;

/// What Prometheus asks for.
const OPEN: &str = "application/openmetrics-text";
const OPEN_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The content type and the page for a reader that accepts this. `page` is in the OpenMetrics format.
pub(super) fn in_format(page: String, accept: &str) -> (&'static str, String) {
    if accept.contains(OPEN) { (OPEN_TYPE, page) } else { (PLAIN_TYPE, plain(&page)) }
}

/// The same in the older text format of Prometheus, which `promtool` and many agents read. There a counter is named as its sample is, and an
/// info is a gauge.
fn plain(page: &str) -> String {
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: HashMap<&str, &str> = types.collect();
    let named = |name: &str| match types.get(name) {
        Some(&"counter") => format!("{name}_total"),
        Some(&"info") => format!("{name}_info"),
        Some(_) | None => name.to_owned(),
    };
    let line = |line: &str| {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(help)) => Some(format!("# HELP {} {help}\n", named(name))),
            (Some("#"), Some("TYPE"), Some(name), Some("info")) => Some(format!("# TYPE {} gauge\n", named(name))),
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => Some(format!("# TYPE {} {kind}\n", named(name))),
            (Some("#"), ..) => None,
            _ => Some(format!("{line}\n")),
        }
    };
    page.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP a_calls Calls.\n# TYPE a_calls counter\na_calls_total{code=\"ok\"} 1\n# HELP a_build The version.\n\
        # TYPE a_build info\na_build_info{version=\"1\"} 1\n# HELP a_now Now.\n# TYPE a_now gauge\na_now 2\n# EOF\n";

    #[test]
    fn who_does_not_ask_for_openmetrics_gets_the_older_format() {
        let (kind, page) = in_format(PAGE.to_owned(), "*/*");
        assert_eq!(kind, PLAIN_TYPE);
        assert_eq!(
            page,
            "# HELP a_calls_total Calls.\n# TYPE a_calls_total counter\na_calls_total{code=\"ok\"} 1\n\
             # HELP a_build_info The version.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
             # HELP a_now Now.\n# TYPE a_now gauge\na_now 2\n"
        );
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4";
        assert_eq!(in_format(PAGE.to_owned(), prometheus), (OPEN_TYPE, PAGE.to_owned()));
    }
}
