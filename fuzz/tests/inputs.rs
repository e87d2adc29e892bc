//! The targets as plain tests: on every seed, and on every input that once broke something and was mended.
//!
//! `corpus-regressions/TARGET/NAME` is such an input; what it was about is in its name. The stack of a test's thread is
//! as large as that of a server's, so that a text that overflows the one overflows the other.

use std::fs;
use std::path::{Path, PathBuf};

use asl::MachineType;
use loveless_fuzz::seeds::Seeds;
use loveless_fuzz::targets::{ALL, definition};

fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a target on an input; the name is printed first, for an overflow of the stack leaves no time to.
fn play(name: &str, target: fn(&[u8]), input: &[u8]) {
    println!("{name}: {} bytes", input.len());
    let played = std::panic::catch_unwind(|| target(input));
    assert!(played.is_ok(), "{name}: the target panicked, see above");
}

#[test]
fn what_was_mended_stays_mended() {
    let folder = package().join("corpus-regressions");
    for entry in fs::read_dir(&folder).expect("the folder of regressions is there") {
        let folder = entry.expect("it can be read").path();
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a name of letters").to_owned();
        let target = ALL.iter().find(|(target, _)| *target == name);
        let (_, target) = target.unwrap_or_else(|| panic!("{name} is no target"));
        for file in fs::read_dir(&folder).expect("it can be read") {
            let file = file.expect("it can be read").path();
            let input = fs::read(&file).expect("it can be read");
            play(&file.display().to_string(), *target, &input);
        }
    }
}

#[test]
fn every_target_has_seeds_and_takes_them() {
    let package = package();
    let root: &Path = package.parent().expect("the package lies in the workspace");
    let seeds = Seeds::read(root).expect("the test data is there");
    for (name, target) in ALL {
        let inputs = seeds.of(name);
        assert!(inputs.len() > 40, "{name} has only {} seeds", inputs.len());
        for (number, input) in inputs.iter().enumerate() {
            play(&format!("{name}, seed {number}"), *target, input.as_bytes());
        }
    }
}

#[test]
fn most_definitions_are_machines() {
    // A target whose seeds are all refused would try the reader alone.
    let package = package();
    let seeds = Seeds::read(package.parent().expect("the package lies in the workspace"));
    let definitions = seeds.expect("the test data is there").of("definition");
    let machines =
        definitions.iter().filter(|text| definition::machine(text, MachineType::Standard).is_ok()).count();
    assert!(machines * 2 > definitions.len(), "{machines} of {}", definitions.len());
}
