//! Paths: any path over any document. What must hold is told in `src/targets/path.rs`.
#![cfg_attr(fuzzing, no_main)]

loveless_fuzz::target!(path);
