//! The table of intrinsic functions: their names and how many arguments each takes.

use std::ops::RangeInclusive;

/// An intrinsic function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    StringToJson,
    JsonToString,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
    Format,
}

const ANY: usize = usize::MAX;

const TABLE: [(&str, Function, RangeInclusive<usize>); 18] = [
    ("States.Array", Function::Array, 0..=ANY),
    ("States.ArrayPartition", Function::ArrayPartition, 2..=2),
    ("States.ArrayContains", Function::ArrayContains, 2..=2),
    ("States.ArrayRange", Function::ArrayRange, 3..=3),
    ("States.ArrayGetItem", Function::ArrayGetItem, 2..=2),
    ("States.ArrayLength", Function::ArrayLength, 1..=1),
    ("States.ArrayUnique", Function::ArrayUnique, 1..=1),
    ("States.Base64Encode", Function::Base64Encode, 1..=1),
    ("States.Base64Decode", Function::Base64Decode, 1..=1),
    ("States.Hash", Function::Hash, 2..=2),
    ("States.JsonMerge", Function::JsonMerge, 3..=3),
    ("States.StringToJson", Function::StringToJson, 1..=1),
    ("States.JsonToString", Function::JsonToString, 1..=1),
    ("States.MathRandom", Function::MathRandom, 2..=3),
    ("States.MathAdd", Function::MathAdd, 2..=2),
    ("States.StringSplit", Function::StringSplit, 2..=2),
    ("States.UUID", Function::Uuid, 0..=0),
    ("States.Format", Function::Format, 1..=ANY),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        TABLE.iter().find(|(known, ..)| *known == name).map(|(_, function, _)| *function)
    }

    pub(super) fn name(self) -> &'static str {
        TABLE.iter().find(|(_, function, _)| *function == self).map_or("", |(name, ..)| name)
    }

    pub(super) fn takes(self, arguments: usize) -> bool {
        TABLE.iter().any(|(_, function, range)| *function == self && range.contains(&arguments))
    }
}
