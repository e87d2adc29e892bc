//! Inputs: any text as JSON, as a template and as a timestamp. What must hold is told in `src/targets/input.rs`.
#![cfg_attr(fuzzing, no_main)]

loveless_fuzz::target!(input);
