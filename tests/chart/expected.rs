//! What a test expects of the rendered objects.

use serde_json::Value;

/// Something that holds of the rendered objects.
#[derive(Debug)]
pub enum Expected {
    /// An object, named by its kind and perhaps the end of its name, has this value at a JSON pointer; `null` for nothing.
    Is(&'static str, &'static str, Value),
    /// It has this item in the list there.
    Has(&'static str, &'static str, Value),
    /// There is no such object.
    None(&'static str),
}

impl Expected {
    pub fn is(object: &'static str, at: &'static str, value: Value) -> Self {
        Self::Is(object, at, value)
    }

    pub fn none(object: &'static str) -> Self {
        Self::None(object)
    }

    pub fn check(&self, objects: &[Value]) -> Result<(), String> {
        let missing = |object: &str| format!("no {object} is rendered");
        match self {
            Self::Is(object, at, value) => {
                let found = find(objects, object).ok_or_else(|| missing(object))?;
                let seen = found.pointer(at).unwrap_or(&Value::Null);
                if seen == value { Ok(()) } else { Err(format!("{object}{at} is {seen}, not {value}")) }
            }
            Self::Has(object, at, value) => {
                let found = find(objects, object).ok_or_else(|| missing(object))?;
                let seen = found.pointer(at).unwrap_or(&Value::Null);
                let has = seen.as_array().is_some_and(|items| items.contains(value));
                if has { Ok(()) } else { Err(format!("{object}{at} has no {value}: {seen}")) }
            }
            Self::None(object) => match find(objects, object) {
                None => Ok(()),
                Some(found) => Err(format!("{object} is rendered: {found}")),
            },
        }
    }
}

/// `Kind`, or `Kind name-suffix`.
fn find<'a>(objects: &'a [Value], wanted: &str) -> Option<&'a Value> {
    let (kind, suffix) = wanted.split_once(' ').unwrap_or((wanted, ""));
    let named = |object: &&Value| object["metadata"]["name"].as_str().is_some_and(|name| name.ends_with(suffix));
    objects.iter().filter(|object| object["kind"] == kind).find(named)
}
