//! JSONata: any expression over any document. What must hold is told in `src/targets/jsonata.rs`.
#![cfg_attr(fuzzing, no_main)]

loveless_fuzz::target!(jsonata);
