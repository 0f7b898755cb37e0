//! Differences between the databases, and features that one of them lacks.

use erp_manifest::codes::codes;
use erp_manifest::{BaseType, FieldType, MAX_ORDERED_BYTES};

use super::super::{CheckSubject, Findings};

codes! {
    LONG_KEY = "storage/long-key", finding(Warning), "Long text is a field that rows are found by.",
        why: "PostgreSQL's indexes hold no more than 2,704 bytes of a row, so the store refuses longer values on both databases.",
        fix: "Bound the text by `validation.max_length`, or do not filter and sort by it.";
    FLOAT_SUM = "storage/float-sum", finding(Hint), "Sums of binary fractions depend on the database.",
        why: "A sum of floats depends on the order in which they are added, and the databases choose it; decimals are added exactly.",
        fix: "Use `decimal` or `currency` where the digits matter.";
    UNORDERED = "storage/unordered", finding(Error), "Lists are sorted by a field that has no order.",
        why: "JSON, lists and places cannot be compared in the same way on both databases.",
        fix: "Take `sortable` away, or keep what is sorted by in a field of its own.";
}

/// The most bytes of a character.
const BYTES_PER_CHARACTER: usize = 4;

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
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
                findings.add(LONG_KEY, field.field_type.span(), message, "may be longer", Some(help));
            }
            if field.field_type.base() == BaseType::Float && field.is_filterable() {
                let message = format!(
                    "sums and means of `{}` may differ in their last digit from one database to the other",
                    *field.name
                );
                let help = "write `field_type = \"decimal\"` where the digits matter".to_owned();
                findings.add(FLOAT_SUM, field.field_type.span(), message, "a binary fraction", Some(help));
            }
            if field.sortable && field.field_type.base() == BaseType::Json {
                let message = format!("`{}` holds JSON, which has no order: lists cannot be sorted by it", *field.name);
                let help = Some("take `sortable` away".to_owned());
                findings.add(UNORDERED, field.field_type.span(), message, "has no order", help);
            }
        }
    }
}
