//! The eight state types, one file each, and what the working ones share: what the state holds, how it is read, and what is wrong with it.

pub mod choice;
pub mod fail;
pub mod map;
pub mod parallel;
pub mod pass;
pub mod succeed;
pub mod task;
pub mod wait;
pub mod work;
