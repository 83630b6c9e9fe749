//! What a command that changes objects prints: sentences for people, or the objects for programs.

use anyhow::Context as _;
use clap::ValueEnum as _;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use kube::core::{DynamicObject, ListMeta, ObjectList, TypeMeta};
use kube::{Client, ResourceExt as _};

use super::output::{Format, machine, wrapped};
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
            None => println!("{sentence}"),
            Some(_) => eprintln!("{sentence}"),
        }
    }

    /// The object as it is now, if it is printed whole.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn latest(&self, client: &Client, target: &Target) -> anyhow::Result<Target> {
        if matches!(self.output, None | Some(Format::Name)) {
            return Ok(target.clone());
        }
        let name = target.object.metadata.name.as_deref().unwrap_or_default();
        let object = target.api(client).get(name).await.with_context(|| format!("read {} again", target.shown()))?;
        Ok(Target { kind: target.kind, object })
    }

    /// Prints the objects; `one` says whether the person named a single one.
    ///
    /// # Errors
    /// When they cannot be written as text, which none of them does.
    pub fn print(&self, done: Vec<Target>, one: bool) -> anyhow::Result<()> {
        let Some(format) = self.output else { return Ok(()) };
        if format == Format::Name {
            done.iter().for_each(|target| println!("{}", target.kind.full_name(&target.object.name_any())));
            return Ok(());
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
        print!("{text}");
        Ok(())
    }
}
