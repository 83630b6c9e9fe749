//! Makes the enum of presets out of the files in `src/service/presets`, so that a new declaration is one new file: its name is the
//! preset's, its first line says what the service is.
// A build script has nobody to hand an error to: a panic is what cargo shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

const FOLDER: &str = "src/service/presets";

fn main() {
    println!("cargo:rerun-if-changed={FOLDER}");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let files =
        fs::read_dir(root.join(FOLDER)).expect("the folder of the presets").map(|file| file.expect("a file").path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|kind| kind == "yaml")).collect();
    files.sort();
    let (mut variants, mut texts, mut all) = (String::new(), String::new(), String::new());
    for file in &files {
        let name = file.file_stem().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let text = fs::read_to_string(file).expect("a text in UTF-8");
        let about = text.lines().next().and_then(|line| line.strip_prefix("# "));
        let about =
            about.unwrap_or_else(|| panic!("{}: the first line must say what the service is: # ...", file.display()));
        writeln!(variants, "    /// {about}\n    {name},").unwrap();
        writeln!(texts, "            Self::{name} => Some(include_str!({:?})),", file.display().to_string()).unwrap();
        write!(all, "Self::{name}, ").unwrap();
    }
    let code = format!(
        "/// A built-in declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Preset {{
{variants}    /// No built-in declaration: `operations` declares everything.
    Custom,
}}

impl Preset {{
    /// All of them.
    pub const ALL: &[Self] = &[{all}Self::Custom];

    /// The file with its declaration; `None` for `Custom`.
    pub fn file(self) -> Option<&'static str> {{
        match self {{
{texts}            Self::Custom => None,
        }}
    }}
}}
"
    );
    let output = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(output.join("presets.rs"), code).expect("a place for the enum");
}
