//! Intrinsic functions: any call over any document. What must hold is told in `src/targets/intrinsic.rs`.
#![cfg_attr(fuzzing, no_main)]

loveless_fuzz::target!(intrinsic);
