//! What the person sees, as it happens.

use std::io::{self, Write as _};

use artifact_token_operator::service::mask::Mask;

use super::shape::shape;
use super::witness::{Drawn, Seen};

/// Prints, and counts the steps that failed. Nothing leaves it but through the mask.
pub(super) struct Report {
    mask: Mask,
    step: String,
    failed: Vec<String>,
}

/// So many further pages are shown.
const MAX_PAGES: usize = 3;

impl Report {
    pub fn new(mask: Mask) -> Self {
        Self { mask, step: String::new(), failed: Vec::new() }
    }

    /// What hides the values.
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// The steps that failed, each once.
    pub fn failed(&self) -> &[String] {
        &self.failed
    }

    /// A line that belongs to no step.
    pub fn say(&self, text: &str) {
        say(&self.mask, text);
    }

    /// A step begins.
    pub fn step(&mut self, name: &str) {
        self.step = name.to_owned();
        self.say("");
        self.say(name);
    }

    /// A step that cannot be tried.
    pub fn not_tried(&mut self, name: &str, why: &str) {
        self.step(name);
        self.say(&format!("  not tried: {why}"));
    }

    pub fn line(&self, text: &str) {
        self.say(&format!("  {text}"));
    }

    pub fn good(&self, text: &str) {
        self.say(&format!("  ok: {text}"));
    }

    /// Something is wrong with the step.
    pub fn bad(&mut self, text: &str) {
        self.say(&format!("  FAILED: {text}"));
        if !self.failed.contains(&self.step) {
            self.failed.push(self.step.clone());
        }
    }

    /// A request as it is sent.
    pub fn request(&self, drawn: &[Drawn]) {
        let Some(Drawn { line, headers, body }) = drawn.first() else { return };
        self.say(&format!("  > {line}"));
        for header in headers {
            self.say(&format!("  > {header}"));
        }
        if let Some(body) = body {
            self.say(&format!("  > {body}"));
        }
    }

    /// Further pages of a list, from their second one on.
    pub fn pages(&self, drawn: &[Drawn]) {
        for page in drawn.iter().skip(1).take(MAX_PAGES) {
            self.say(&format!("  next page: {}", page.line));
        }
        let more = drawn.len().saturating_sub(1 + MAX_PAGES);
        if more > 0 {
            self.say(&format!("  and {more} more pages"));
        }
    }

    /// An answer as far as it may be seen.
    pub fn answer(&self, Seen { answer, took }: &Seen) {
        let refusal = answer.status >= 400;
        let body = match (answer.body(), answer.json()) {
            (Err(what), _) => format!("a body that cannot be read: {what}"),
            (Ok([]), _) => "no body".to_owned(),
            (Ok(_), Ok(body)) => shape(&body, refusal, &self.mask),
            (Ok(bytes), Err(_)) => {
                let kind = answer.header("content-type").unwrap_or("of no declared type");
                format!("{} bytes, {kind}, not JSON", bytes.len())
            }
        };
        self.say(&format!("  < status {} after {} ms: {body}", answer.status, took.as_millis()));
    }
}

/// Prints a line. A closed pipe is no reason to leave a token behind.
pub(super) fn say(mask: &Mask, text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", mask.clean(text));
    let _ = out.flush();
}
