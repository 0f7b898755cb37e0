//! Whether every value of one type is one of another.

use crate::manifest::{BaseType, Field, FieldType};

/// How the values of one type fit into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// They are the same values.
    Same,
    /// Each has exactly one form in the new type.
    Converts,
    /// Some may have none.
    Narrows,
}

impl Fit {
    /// How the values of a field's type fit into that of the same field of the next version.
    pub fn of(old: &Field, new: &Field) -> Fit {
        use BaseType::{Boolean, Date, Datetime, Decimal, Float, Integer, Json, String, Uuid};
        let (from, to) = (*old.field_type, *new.field_type);
        if from == to {
            return Fit::Same;
        }
        // Types with rules of their own take no value unseen.
        let is_plain = |kind: FieldType| {
            matches!(
                kind,
                FieldType::String | FieldType::Text | FieldType::RichText | FieldType::Markdown | FieldType::Barcode
            )
        };
        match (from.base(), to.base()) {
            (String, String) if is_plain(to) => Fit::Same,
            (Integer, Integer) if matches!(to, FieldType::Integer | FieldType::Bigint) => Fit::Same,
            (Decimal, Decimal) => Fit::Same,
            (Uuid, Uuid) if !to.is_reference() => Fit::Same,
            (Json, Json) if to == FieldType::Json => Fit::Same,
            (Integer | Boolean | Decimal | Date | Datetime | Uuid, String) if is_plain(to) => Fit::Converts,
            (Integer, Decimal) => Fit::Converts,
            (String | Integer | Float | Decimal | Boolean | Date | Datetime | Uuid, Json) if to == FieldType::Json => {
                Fit::Same
            }
            // A whole number of more than 53 bits has no float of its own.
            _ => Fit::Narrows,
        }
    }
}
