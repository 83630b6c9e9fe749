//! What stands in the Secret: the token in the forms that tools read, and the operator's own marks beside it.
//!
//! Everything here is pure. The way of a token into the Secret: a [`DataEntry`] and [`formats::Facts`] are rendered
//! by [`formats`]; [`content::desired`] puts the results, the labels and the marks of [`metadata`] together;
//! [`patch::merge_patch`] makes them one write, because data and marks may only change together (invariant S5).
//! The way back: [`metadata::read_marks`] and [`content::token_in`].
//!
//! **Invariant:** no type here prints a value of the Secret, and no error or drift text contains one (S9).
//!
//! [`DataEntry`]: crate::api::secret_template::DataEntry

mod applied;
pub mod content;
pub mod formats;
pub mod metadata;
pub mod patch;

#[cfg(test)]
mod tests;
