//! Whether the values of one field type are valid in another one.

use crate::manifest::{BaseType, Field, FieldType};

/// How the values of one type fit into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Every value is valid as it is.
    Same,
    /// Every value converts to exactly one value of the new type.
    Converts,
    /// Some values may not convert.
    Narrows,
}

impl Fit {
    /// Compares the type of a field with its type in the next version.
    pub fn of(old: &Field, new: &Field) -> Fit {
        use BaseType::{Boolean, Date, Datetime, Decimal, Float, Integer, Json, String, Uuid};
        let (from, to) = (*old.field_type, *new.field_type);
        if from == to {
            return Fit::Same;
        }
        // Types with their own rules do not accept every text.
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
            // This includes integers to float: a float cannot hold every whole number of more than 53 bits.
            _ => Fit::Narrows,
        }
    }
}
