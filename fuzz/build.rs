//! Tells the compiler of the one condition that it does not know: `cargo fuzz` and `cargo xtask fuzz` build with
//! `--cfg fuzzing`. It does nothing else.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
    println!("cargo::rerun-if-changed=build.rs");
}
