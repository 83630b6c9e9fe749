//! The presets. `build.rs` makes the enum out of the files in `src/service/presets`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

include!(concat!(env!("OUT_DIR"), "/presets.rs"));
