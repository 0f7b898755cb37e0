//! What the databases do differently, or one of them not at all.

use super::super::{Findings, Subject};
use crate::diagnostics::codes;
use crate::manifest::{BaseType, FieldType};
use crate::store::MAX_ORDERED_BYTES;

/// Bytes of a character at the most.
const BYTES_PER_CHARACTER: usize = 4;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for entity in &subject.manifest.schema.entities {
        for field in &entity.fields {
            let most = field.validation.as_ref().and_then(|validation| validation.max_length);
            let is_long = matches!(*field.field_type, FieldType::Text | FieldType::RichText | FieldType::Markdown)
                && most.is_none_or(|most| most > (MAX_ORDERED_BYTES / BYTES_PER_CHARACTER) as u64);
            if is_long && field.is_ordered() {
                let message = format!(
                    "`{}` is long text, and rows are found by it: values of more than {MAX_ORDERED_BYTES} bytes are refused",
                    *field.name
                );
                let help = format!(
                    "say `validation = {{ max_length = {} }}`, or take filterable, sortable and unique away; searchable has no such bound",
                    MAX_ORDERED_BYTES / BYTES_PER_CHARACTER
                );
                findings.add(codes::LONG_KEY, field.field_type.span(), message, "may be longer", Some(help));
            }
            if field.field_type.base() == BaseType::Float && field.is_filterable() {
                let message = format!(
                    "sums and means of `{}` may differ in their last digit from one database to the other",
                    *field.name
                );
                let help = "write `field_type = \"decimal\"` where the digits matter".to_owned();
                findings.add(codes::FLOAT_SUM, field.field_type.span(), message, "a binary fraction", Some(help));
            }
            if field.sortable && field.field_type.base() == BaseType::Json {
                let message = format!("`{}` holds JSON, which has no order: lists cannot be sorted by it", *field.name);
                let help = Some("take `sortable` away".to_owned());
                findings.add(codes::UNORDERED, field.field_type.span(), message, "has no order", help);
            }
        }
    }
}
