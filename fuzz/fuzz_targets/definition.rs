//! Definitions: any text, read, checked and run. What must hold is told in `src/targets/definition.rs`.
#![cfg_attr(fuzzing, no_main)]

loveless_fuzz::target!(definition);
