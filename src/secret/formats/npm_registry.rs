//! The URL of an npm registry, in the form in which npm looks up the credentials for it.

/// A registry: where packages come from, and the place under which npm looks for the credentials.
pub(super) struct NpmRegistry {
    scheme: &'static str,
    /// Host, port if it is not the scheme's own, and path with `/` at its end.
    location: String,
}

impl NpmRegistry {
    /// Reads a URL, and writes it as npm's URL parser would: npm compares the place as text, so another way to write
    /// the same URL finds no credentials. The error is a sentence for the user.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, default_port, rest) = if let Some(rest) = url.strip_prefix("https://") {
            ("https", ":443", rest)
        } else if let Some(rest) = url.strip_prefix("http://") {
            ("http", ":80", rest)
        } else {
            return Err("start it with https://, such as https://npm.example/");
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() || !host.chars().all(|sign| sign.is_ascii_alphanumeric() || ".-:".contains(sign)) {
            return Err("write a host of letters, digits, dots and dashes after //, perhaps with a port");
        }
        if !path.chars().all(|sign| sign.is_ascii_alphanumeric() || "._~%@+/-".contains(sign)) {
            return Err("use only letters, digits and . _ ~ % @ + - in its path");
        }
        if path.split('/').any(|segment| segment == "." || segment == "..") {
            return Err("it has . or .. in its path: write the path that this leads to");
        }
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix(default_port).unwrap_or(&host);
        let path = path.strip_suffix('/').unwrap_or(path);
        let end = if path.is_empty() { "" } else { "/" };
        Ok(Self { scheme, location: format!("{host}/{path}{end}") })
    }

    /// The URL with `/` at its end, without which npm would drop the last part of the path.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.location)
    }

    /// What the keys of its credentials begin with.
    pub(super) fn place(&self) -> String {
        format!("//{}", self.location)
    }
}
