//! Names of Kubernetes objects, and keys in them, as people write them into a spec. Each becomes a part of a path of the API server, where
//! anything else would lead to another place.

/// The pattern of most names.
pub const NAME: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// The pattern of a key in the data of a Secret or a ConfigMap.
pub const KEY: &str = "^[-._a-zA-Z0-9]+$";
/// The longest name, and the longest key.
pub const MAX_LENGTH: usize = 253;

/// Whether an object can have this name.
pub fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label =
        |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(inner);
    text.len() <= MAX_LENGTH && text.split('.').all(label)
}

/// Whether this can be a key.
pub fn is_key(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !text.is_empty() && text.len() <= MAX_LENGTH && text.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lead_to_another_place_is_no_name() {
        for name in ["a", "reg-admin", "0.b-c.d", &"a".repeat(MAX_LENGTH)] {
            assert!(is_name(name), "{name}");
        }
        let long = "a".repeat(MAX_LENGTH + 1);
        for other in [
            "",
            "a b",
            "vault/reg-admin",
            "?limit=1",
            "x?watch=true",
            "../x",
            "..",
            "A",
            "a.",
            "-a",
            "a-",
            "a%2fb",
            "\u{e4}",
            &long,
        ] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[test]
    fn keys_are_letters_digits_and_three_signs() {
        for key in ["token", ".npmrc", "CA_1.crt"] {
            assert!(is_key(key), "{key}");
        }
        for other in ["", "a b", "a/b", "\u{e4}"] {
            assert!(!is_key(other), "{other}");
        }
    }
}
