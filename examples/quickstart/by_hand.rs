//! What a person does at the pages of Seal and Akinon, whose tokens no API makes: reads the table, and sends the forms of the page.

use anyhow::{Context, Result, ensure};
use chrono::{TimeDelta, Utc};
use testbed::http;

use crate::service::{List, Row};

/// The name under which the tour signs in: any will do.
const PERSON: &str = "ada";

/// What differs between the two systems.
#[derive(Debug)]
pub struct System {
    /// The page with the table. The form that makes a token is sent there, too.
    table: &'static str,
    /// The last part of the path to which the form that ends a token is sent.
    end: &'static str,
    /// What the form that makes a token sends.
    form: &'static str,
    /// For how many days a token is made; without it, one never expires.
    days: Option<i64>,
    /// What a client asks with its token.
    used: &'static str,
    /// How it sends the token.
    authorization: fn(&str) -> String,
}

/// Seal Security.
pub const SEAL: System = System {
    table: "/seal/settings/tokens",
    end: "delete",
    form: "name={name}&type=Production&expiry=Never",
    days: None,
    used: "/seal/authorization/",
    authorization: |token| http::basic("payments", token),
};

/// The Akinon Seller Center.
pub const AKINON: System = System {
    table: "/akinon/settings/access-tokens",
    end: "revoke",
    form: "validUntil={until}&note={name}",
    days: Some(90),
    used: "/akinon/api/i2/products/?page=1&limit=1",
    authorization: str::to_owned,
};

/// The page in the browser of a person who is signed in.
#[derive(Debug)]
pub struct Page {
    system: &'static System,
    url: String,
    key: String,
    /// The page's own ids of the tokens that were made, oldest first: that of attempt 1, that of attempt 2, and so on. The operator
    /// does not know them.
    made: Vec<String>,
}

/// A token that was made on the page.
pub struct Made {
    /// Its value.
    pub value: String,
    /// The date until which it is valid, if it expires.
    pub until: Option<String>,
}

impl Page {
    /// The page of `system` at the service with this address and this admin key.
    pub fn new(system: &'static System, url: &str, key: &str) -> Self {
        Self { system, url: url.to_owned(), key: key.to_owned(), made: Vec::new() }
    }

    /// The address to open.
    pub fn address(&self) -> String {
        format!("{}{}", self.url, self.system.table)
    }

    /// How to sign in.
    pub fn sign_in(&self) -> String {
        format!("any name, and the password {}", self.key)
    }

    /// How to see the page from a shell.
    pub fn command(&self) -> String {
        format!("curl -s -u {PERSON}:{} {}", self.key, self.address())
    }

    /// The date until which a token that is made today is valid, if it expires.
    pub fn until(&self) -> Option<String> {
        self.system.days.map(|days| (Utc::now() + TimeDelta::days(days)).format("%Y-%m-%d").to_string())
    }

    /// The request that a client sends with its token.
    pub fn used(&self, token: &str) -> Result<reqwest::RequestBuilder> {
        let request = http::client()?.get(format!("{}{}", self.url, self.system.used));
        Ok(request.header("authorization", (self.system.authorization)(token)))
    }

    /// The table, without its last column, which has what ends a token.
    pub async fn tokens(&self) -> Result<List> {
        let html = self.shown().await?;
        let mut columns = cells(html.split("<tr>").nth(1).unwrap_or_default(), "th");
        columns.pop().context("the page has no table")?;
        let row = |text| {
            let mut cells = cells(text, "td");
            cells.pop();
            // Only what lives can be ended. The operator calls a token by its attempt.
            let id = self.id(text);
            let attempt = id.and_then(|id| self.made.iter().position(|made| made == id)).map(|index| index + 1);
            let known = attempt.map(|attempt| format!("hand-over-{attempt}"));
            Row { id: known.or(id.map(str::to_owned)).unwrap_or_default(), live: id.is_some(), cells }
        };
        let rows = html.split("<tr>").skip(2).map(row).filter(|row| !row.cells.is_empty()).collect();
        Ok(List { columns, rows })
    }

    /// Makes a token: the person fills in the form, and copies the value.
    pub async fn make(&mut self, name: &str) -> Result<Made> {
        let until = self.until();
        let form = self.system.form.replace("{until}", until.as_deref().unwrap_or_default());
        let answer = self.send(self.system.table, form.replace("{name}", &name.replace(' ', "+"))).await?;
        let html = self.shown().await?;
        let fresh = |row: &&str| self.id(row).is_some_and(|id| !self.made.iter().any(|made| made == id));
        let row = html.split("<tr>").find(fresh).context("the page has no new token")?;
        let id = self.id(row).unwrap_or_default().to_owned();
        // Seal answers with a page that shows the value once; Akinon shows it in the table.
        let value = between(&answer, "<code id=\"token\">", "</code>").or_else(|| between(row, "<code>", "</code>"));
        let value = value.context("the page shows no token")?.to_owned();
        self.made.push(id);
        Ok(Made { value, until })
    }

    /// Ends the token of this attempt: the person presses the button in its row.
    pub async fn end(&self, attempt: usize) -> Result<()> {
        let id = attempt.checked_sub(1).and_then(|index| self.made.get(index)).context("no such token was made")?;
        self.send(&format!("{}/{id}/{}", self.system.table, self.system.end), String::new()).await.map(drop)
    }

    /// The id in a row of the table; `None` if nothing ends that token any more.
    fn id<'a>(&self, row: &'a str) -> Option<&'a str> {
        between(row, &format!("{}/", self.system.table), &format!("/{}\"", self.system.end))
    }

    async fn shown(&self) -> Result<String> {
        self.answer(http::client()?.get(self.address())).await
    }

    async fn send(&self, path: &str, form: String) -> Result<String> {
        let request = http::client()?.post(format!("{}{path}", self.url)).body(form);
        self.answer(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<String> {
        let (status, body) = http::answer(request.header("authorization", http::basic(PERSON, &self.key))).await?;
        // A form is answered by a page, or leads back to the table.
        ensure!(matches!(status, 200 | 303), "the page answers {status}: {body}");
        Ok(body)
    }
}

/// The texts in the cells of a row.
fn cells(row: &str, tag: &str) -> Vec<String> {
    let (begin, end) = (format!("<{tag}>"), format!("</{tag}>"));
    row.split(&begin).skip(1).map(|rest| text(rest.split(&end).next().unwrap_or_default())).collect()
}

/// The text of a cell. Akinon's page has the whole tokens in it; the tour shows their ends, as the operator does.
fn text(cell: &str) -> String {
    let token = between(cell, "<code>", "</code>");
    let tail = |token: &str| token.get(token.len().saturating_sub(4)..).map(|tail| format!("****{tail}"));
    token.and_then(tail).unwrap_or_else(|| cell.trim().to_owned())
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (found, _) = text.split_once(begin)?.1.split_once(end)?;
    (!found.is_empty()).then_some(found)
}
