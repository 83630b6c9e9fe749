//! The content of the Secret: the token in the forms that tools read, and the operator's own marks beside it.
//!
//! Everything here is pure. A token goes into the Secret in three steps: [`formats`] renders a [`DataEntry`] and
//! [`formats::Facts`]; [`content::desired`] puts the results, the labels and the marks of [`metadata`] together;
//! [`patch::merge_patch`] makes them one write, because data and marks may only change together (invariant S5).
//! [`metadata::read_marks`] and [`content::token_in`] read it back.
//!
//! **Invariant:** no type here prints a value of the Secret, and no error or drift text contains one (S9).
//!
//! [`DataEntry`]: crate::api::secret_template::DataEntry

mod applied;
pub mod content;
pub mod formats;
pub mod hand_over;
pub mod metadata;
pub mod patch;

#[cfg(test)]
mod tests;
