//! What a command that changes objects prints: sentences for people, or the objects for programs.

use clap::ValueEnum as _;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use kube::core::{DynamicObject, ListMeta, ObjectList, TypeMeta};
use kube::{Client, ResourceExt as _};

use super::output::{Format, machine, print, wrapped};
use super::target::Target;

/// Whether it prints for programs.
#[derive(Debug, clap::Args)]
pub struct Printing {
    /// Print the objects for which it went well, as they are at the end, in place of sentences, which go to standard error then.
    #[arg(short, long, value_parser = PossibleValuesParser::new(["json", "yaml", "name"]).try_map(|word| Format::from_str(&word, false)))]
    output: Option<Format>,
}

impl Printing {
    /// Tells people something.
    pub fn say(&self, sentence: &str) {
        let sentence = wrapped(sentence, 2);
        match self.output {
            // Who listens no more does not stop what goes on.
            None => _ = print(&(sentence + "\n")),
            Some(_) => eprintln!("{sentence}"),
        }
    }

    /// The object as it is now, if it is printed whole. What was asked for is done, also where it cannot be read any more.
    pub async fn latest(&self, client: &Client, known: Target) -> Target {
        if matches!(self.output, None | Some(Format::Name)) {
            return known;
        }
        match known.api(client).get(&known.object.name_any()).await {
            Ok(object) => Target { kind: known.kind, object },
            Err(error) => {
                let shown = known.shown();
                eprintln!("Warning: {shown} is printed as it was before: it cannot be read again: {error}.");
                known
            }
        }
    }

    /// Prints the objects; `one` says whether the person named a single one.
    ///
    /// # Errors
    /// When nobody reads them.
    pub fn print(&self, done: Vec<Target>, one: bool) -> anyhow::Result<()> {
        let Some(format) = self.output else { return Ok(()) };
        if format == Format::Name {
            let names = done.iter().map(|target| target.kind.full_name(&target.object.name_any()) + "\n");
            return print(&names.collect::<String>());
        }
        let mut items: Vec<DynamicObject> = done.into_iter().map(|target| target.object).collect();
        let text = match items.pop() {
            Some(only) if one => machine(&only, format)?,
            None if one => return Ok(()),
            last => {
                items.extend(last);
                let types = TypeMeta { api_version: "v1".to_owned(), kind: "List".to_owned() };
                machine(&ObjectList { types, metadata: ListMeta::default(), items }, format)?
            }
        };
        print(&text)
    }
}
