//! `cargo run -p loveless-fuzz --example seeds -- FOLDER`: writes the seeds of each target into a folder of its name below
//! FOLDER. `cargo fuzz` looks for them in `fuzz/corpus`; `cargo xtask fuzz` calls this itself. An example and not a
//! binary, for the binaries of this package are targets.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use loveless_fuzz::seeds::Seeds;
use loveless_fuzz::targets::ALL;

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("usage: seeds FOLDER")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the package lies in the workspace")?;
    let seeds = Seeds::read(root)?;
    for (target, _) in ALL {
        let folder = PathBuf::from(&folder).join(target);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let inputs = seeds.of(target);
        for (number, input) in inputs.iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:04}")), input)?;
        }
        println!("{target}: {} seeds", inputs.len());
    }
    Ok(())
}
