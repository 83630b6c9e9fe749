//! The rules of the schema that cover several formats, generated from the formats' shapes.

use kube::core::Rule;

use super::format::{FixedKeys, Format, Registry, Shape, Username};

/// The condition under which a format of [`Username::WithBasic`] sends a user name.
const BASIC: &str = "has(self.auth) && self.auth == 'Basic'";

/// `SecretTemplate`: the token can be read back from at least one entry.
pub(super) fn readable() -> Rule {
    let readable = Group::of(|shape| shape.readable);
    rule(&format!("self.data.exists(e, {})", readable.has("e.format")), &add_readable())
}

/// What to do where no entry is readable.
pub fn add_readable() -> String {
    let readable = Group::of(|shape| shape.readable);
    format!("add an entry of format {}: the operator reads the token back from it", readable.list("or"))
}

/// `DataEntry`: `template` is there where it is used.
pub(super) fn template() -> Rule {
    let group = Group::of(|shape| shape.template);
    rule(
        &format!("({}) == has(self.template)", group.has("self.format")),
        &format!("set template when format is {}, and only then", group.list("or")),
    )
}

/// `DataEntry`: a format that writes two keys has the first one as its own.
pub(super) fn key_is(format: Format, FixedKeys { token, username }: FixedKeys) -> Rule {
    rule(
        &format!("self.format != '{format}' || self.key == '{token}'"),
        &format!("set key to {token} for format {format}: it writes the keys {username} and {token}"),
    )
}

/// `SecretTemplate`: no entry has the second key of a format that writes two.
pub(super) fn key_is_free(format: Format, FixedKeys { username, .. }: FixedKeys) -> Rule {
    rule(
        &format!("!self.data.exists(e, e.format == '{format}') || !self.data.exists(e, e.key == '{username}')"),
        &format!("format {format} writes the key {username} itself: give the entry with key {username} another key"),
    )
}

/// `DataEntry`: `username` is there where it is needed.
pub(super) fn username_needed() -> Rule {
    let always = Group::of(|shape| shape.username == Username::Required);
    let basic = Group::of(|shape| shape.username == Username::WithBasic);
    let needed = format!("{} || ({} && {BASIC})", always.has("self.format"), basic.has("self.format"));
    let (always, basic) = (always.named("and"), basic.list("and"));
    rule(
        &format!("has(self.username) || !({needed})"),
        &format!("set username: {always}, and {basic} with auth Basic, need it"),
    )
}

/// `DataEntry`: `username` is absent where nothing would use it.
pub(super) fn username_used() -> Rule {
    let always = Group::of(|shape| matches!(shape.username, Username::Required | Username::Optional));
    let basic = Group::of(|shape| shape.username == Username::WithBasic);
    let used = format!("{} || ({} && {BASIC})", always.has("self.format"), basic.has("self.format"));
    rule(
        &format!("!has(self.username) || {used}"),
        &format!("remove username, or for {} set auth to Basic: nothing else would use it", basic.named("or")),
    )
}

/// `DataEntry`: `registry` is there where it is needed.
pub(super) fn registry_needed() -> Rule {
    let group = Group::of(|shape| matches!(shape.registry, Registry::Required | Registry::Url));
    rule(
        &format!("has(self.registry) || !({})", group.has("self.format")),
        &format!("set registry: {} {} it", group.named("and"), group.verb("needs", "need")),
    )
}

/// `DataEntry`: `registry` is absent where nothing would use it.
pub(super) fn registry_used() -> Rule {
    let group = Group::of(|shape| shape.registry != Registry::Refused);
    let others = Group::of(|shape| shape.registry == Registry::Refused);
    rule(
        &format!("!has(self.registry) || {}", group.has("self.format")),
        &format!("remove registry: {} {} not use it", others.named("and"), others.verb("does", "do")),
    )
}

/// `DataEntry`: `registry` is a URL where a tool looks it up by one.
pub(super) fn registry_is_url() -> Rule {
    let group = Group::of(|shape| shape.registry == Registry::Url);
    let url = "self.registry.startsWith('https://') || self.registry.startsWith('http://')";
    rule(
        &format!("{} || !has(self.registry) || {url}", group.has_not("self.format")),
        &format!("start registry with https:// for {}, such as https://npm.example/", group.named("or")),
    )
}

/// `DataEntry`: npm's own fields are absent where nothing would use them.
pub(super) fn npm() -> Rule {
    let group = Group::of(|shape| shape.npm);
    rule(
        &format!("{} || !(has(self.scopes) || has(self.auth))", group.has("self.format")),
        &format!("remove scopes and auth: only {} {} them", group.named("and"), group.verb("uses", "use")),
    )
}

fn rule(expression: &str, message: &str) -> Rule {
    Rule::new(expression).message(message)
}

/// The formats that one rule covers, in the order of [`Format::ALL`].
struct Group(Vec<Format>);

impl Group {
    fn of(member: impl Fn(Shape) -> bool) -> Self {
        Self(Format::ALL.into_iter().filter(|format| member(format.shape())).collect())
    }

    /// The CEL expression that is true if `field` is one of them.
    fn has(&self, field: &str) -> String {
        match self.0.as_slice() {
            [one] => format!("{field} == '{one}'"),
            _ => format!("{field} in [{}]", self.quoted()),
        }
    }

    /// The CEL expression that is true if `field` is none of them.
    fn has_not(&self, field: &str) -> String {
        match self.0.as_slice() {
            [one] => format!("{field} != '{one}'"),
            _ => format!("!({})", self.has(field)),
        }
    }

    fn quoted(&self) -> String {
        self.0.iter().map(|format| format!("'{format}'")).collect::<Vec<_>>().join(", ")
    }

    /// `A, B or C`.
    fn list(&self, word: &str) -> String {
        let names: Vec<_> = self.0.iter().map(Format::to_string).collect();
        match names.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} {word} {last}", others.join(", ")),
            None => String::new(),
        }
    }

    /// `format A`, or `formats A, B and C`.
    fn named(&self, word: &str) -> String {
        let noun = if self.0.len() == 1 { "format" } else { "formats" };
        format!("{noun} {}", self.list(word))
    }

    /// The verb that goes with [`Self::named`].
    fn verb<'a>(&self, one: &'a str, several: &'a str) -> &'a str {
        if self.0.len() == 1 { one } else { several }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_said_in_the_words_of_a_sentence_and_of_a_rule() {
        let check = |formats: &[Format], expected: [&str; 4]| {
            let group = Group(formats.to_vec());
            let said = [group.named("and"), group.has("f"), group.has_not("f"), group.verb("uses", "use").to_owned()];
            assert_eq!(said, expected);
        };
        check(&[Format::Raw], ["format Raw", "f == 'Raw'", "f != 'Raw'", "uses"]);
        check(
            &[Format::Raw, Format::Npmrc],
            ["formats Raw and Npmrc", "f in ['Raw', 'Npmrc']", "!(f in ['Raw', 'Npmrc'])", "use"],
        );
        let three = [Format::Raw, Format::BasicAuth, Format::Npmrc];
        let list = "f in ['Raw', 'BasicAuth', 'Npmrc']";
        check(&three, ["formats Raw, BasicAuth and Npmrc", list, &format!("!({list})"), "use"]);
    }
}
