//! The list has the token, under its id and its name.

use std::sync::Arc;

use artifact_token_operator::service::client::Places;
use artifact_token_operator::service::client::answers::{ListedToken, Listing};
use artifact_token_operator::service::errors::ServiceError;
use tokio::time::Instant;

use super::{LONGEST_WAIT, Made, PAUSE, Trial};
use crate::check_service::witness::sketch;

impl Trial {
    /// Looks for the token in the list, for as long as the service may take to show it. Finds its id, if that is not known.
    pub(super) async fn list(&mut self) {
        self.report.step("list");
        self.draw_list().await;
        let until = Instant::now() + self.settle;
        loop {
            let answer = self.read_list().await;
            let found = answer.as_ref().is_ok_and(|listing| self.find(listing).is_some());
            if answer.is_ok() && self.may_live() && !found && Instant::now() < until {
                self.witness.take();
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            self.show_pages().await;
            match answer {
                Ok(listing) => self.judge(&listing).await,
                Err(error) => self.failed(&error),
            }
            return;
        }
    }

    pub(super) async fn draw_list(&self) {
        let drawn = sketch(self.client.declaration(), Vec::new(), async |client, mut places| {
            let _ = client.list(&mut places).await;
        });
        self.report.request(&drawn.await);
    }

    /// A complete list read now.
    pub(super) async fn read_list(&self) -> Result<Arc<Listing>, ServiceError> {
        let client = self.client.clone();
        self.patiently(async |places| client.list(places).await).await
    }

    pub(super) async fn show_pages(&self) {
        let seen = self.witness.take();
        if let Some(first) = seen.first() {
            self.report.answer(first);
        }
        let drawn = sketch(self.client.declaration(), seen, async |client, mut places| {
            let _ = client.list(&mut places).await;
        });
        self.report.pages(&drawn.await);
    }

    /// The row of the token: by its name, or by its id.
    pub(super) fn find<'a>(&self, listing: &'a Listing) -> Option<&'a ListedToken> {
        let rows = &listing.rows;
        let named =
            |own: &String| rows.iter().find(|row| row.name.as_ref().is_some_and(|name| name.contains(own.as_str())));
        let known = |id: &String| rows.iter().find(|row| row.id == *id);
        self.own_part.as_ref().and_then(named).or_else(|| self.id.as_ref().and_then(known))
    }

    async fn judge(&mut self, listing: &Listing) {
        let count = listing.rows.len();
        if !self.may_live() {
            self.report.good(&format!("the list is complete and has {count} tokens"));
            return;
        }
        let Some(row) = self.find(listing).cloned() else {
            let what = match (self.made, &self.own_part) {
                (Made::Perhaps, Some(_)) => "and none of this name, so the service seems to have made none",
                (Made::Perhaps, None) => {
                    "and nothing tells whether the service has made one: tokens have no names, and the id got lost"
                }
                _ => {
                    "and not this one: look at spec.operations.list.items (does a filter leave it out?), at item.id and item.name, at \
                     pagination, and whether this account lists the tokens that it makes"
                }
            };
            self.report.bad(&format!("the list is complete and has {count} tokens, {what}"));
            return;
        };
        // Ids can be read by everybody, so one that nobody has compared with the token is asked about first.
        if self.id.as_ref() != Some(&row.id) {
            let places = Places::one_by_one(LONGEST_WAIT);
            let checked = self.client.no_tokens(std::iter::once(row.id.as_str()), &places).await;
            self.witness.take();
            if let Err(error) = checked {
                self.failed(&error);
                return;
            }
        }
        self.listed = true;
        let taken =
            self.id.as_ref().is_some_and(|id| *id != row.id && listing.rows.iter().any(|other| other.id == *id));
        self.judge_row(&row, count, taken);
    }

    /// `taken` says that the id from the answer to generate is that of another token.
    fn judge_row(&mut self, row: &ListedToken, count: usize, taken: bool) {
        let named = row.name.as_deref().unwrap_or_default();
        let has_name = self.own_part.as_ref().is_some_and(|own| named.contains(own.as_str()));
        let is_new = self.before.as_ref().is_none_or(|before| !before.contains(&row.id));
        match (&self.id, self.wanted.as_ref().and_then(|wanted| wanted.name.as_deref())) {
            (Some(id), _) if *id != row.id => self.report.bad(&format!(
                "the list has this token's name with the id {}, and the answer to generate had {id}: let spec.operations.list.item.id and \
                 spec.operations.generate.response.id be the id that revoke takes",
                row.id
            )),
            (_, None) if !is_new => self.report.bad(&format!(
                "the list had the id {} before, so it is another token's: look at spec.operations.generate.response.id",
                row.id
            )),
            (_, Some(_)) if !has_name => self.report.bad(&format!(
                "the list has the id {}, under another name, so that a lost token cannot be found: look at spec.operations.list.item.name \
                 and item.id, and at the name in spec.operations.generate.request",
                row.id
            )),
            (_, Some(sent)) if named != sent => self.report.bad(&match named.strip_suffix(sent) {
                Some(before) => format!(
                    "the service puts {before:?} before the name: declare that as spec.operations.list.item.namePrefix"
                ),
                None => format!(
                    "the list has the name in another form ({named}): look at spec.operations.list.item.name, and at \
                     spec.operations.naming.maximumLength if the name is cut"
                ),
            }),
            _ => self.report.good(&format!("one of its {count} tokens is this one, id {}{}", row.id, times(row))),
        }
        self.not_ours = !has_name && !is_new;
        if self.not_ours {
            return;
        }
        self.made = Made::Yes;
        match &self.id {
            // The operator would take the id from the answer to generate. If that does not end the token, this one may.
            Some(id) if *id != row.id && !taken => self.listed_id = Some(row.id.clone()),
            _ => self.id = Some(row.id.clone()),
        }
    }
}

fn times(row: &ListedToken) -> String {
    let times = [("made", row.created), ("expires", row.expiration), ("last used", row.last_used)];
    let times = times.into_iter().filter_map(|(what, time)| Some(format!(", {what} {}", time?)));
    times.collect()
}
