//! What the machine itself needs for the same text: no engine can be faster than this, and one that is near it copies
//! no more than it must.

use std::hint::black_box;
use std::sync::Arc;

use asl::json::Json;

use crate::counting::{Count, count};
use crate::measure::{Cost, TRIES, cost};

/// A floor: something that is done once with a document.
pub struct Floor {
    /// The name in the table.
    pub name: &'static str,
    /// What it costs.
    pub cost: Cost,
}

/// The cost of handling a document once, in each of the ways in which an engine might.
pub fn floors(text: &str) -> Vec<Floor> {
    let json = Json::parse(text).unwrap_or_default();
    let value: serde_json::Value = (&json).into();
    let floor = |name, cost| Floor { name, cost };
    vec![
        floor("copy of the text", cost(TRIES, || (), |()| black_box(Arc::<str>::from(black_box(text))))),
        floor(
            "parse, serde_json",
            cost(TRIES, || (), |()| black_box(serde_json::from_str::<serde_json::Value>(text))),
        ),
        floor(PARSE, cost(TRIES, || (), |()| black_box(Json::parse(black_box(text))))),
        floor("clone, serde_json", cost(TRIES, || (), |()| black_box(black_box(&value).clone()))),
        floor("clone, ours", cost(TRIES, || (), |()| black_box(black_box(&json).clone()))),
        floor(
            "write, serde_json",
            cost(TRIES, || (), |()| black_box(serde_json::to_string(black_box(&value)))),
        ),
        floor("write, ours", cost(TRIES, || (), |()| black_box(black_box(&json).to_text()))),
    ]
}

/// The floor that parses inside the engine are counted by.
pub const PARSE: &str = "parse, ours";

/// What one parse of a document allocates.
pub fn parse(text: &str) -> Count {
    count(|| Json::parse(black_box(text))).1
}
