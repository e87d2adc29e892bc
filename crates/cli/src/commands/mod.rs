//! The commands, one file each: arguments, then what they do.

pub(crate) mod demo;
pub(crate) mod env;
pub(crate) mod serve;
pub(crate) mod test;
pub(crate) mod validate;
