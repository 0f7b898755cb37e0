//! The console can edit and show every kind of value in the catalogue of field types.

use erp_manifest::{DisplayKind, FieldType, InputKind};

use crate::support::repository;

#[test]
fn the_console_has_a_widget_and_a_display_for_every_kind() {
    let script = std::fs::read_to_string(repository().join("src/erp-plugin/dev_host/console/app/values.js")).unwrap();
    let part = |from: &str, to: &str| {
        let start = script.find(from).unwrap_or_else(|| panic!("{from}"));
        let end = script[start..].find(to).unwrap_or_else(|| panic!("{to}"));
        script[start..start + end].to_owned()
    };
    let (shown, input) = (part("switch (field.display)", "\n}"), part("switch (field.input)", "\n}"));
    for word in DisplayKind::WORDS.iter().filter(|word| !["plain", "number", "json"].contains(word)) {
        assert!(shown.contains(&format!("case \"{word}\":")), "values.js does not show `{word}`");
    }
    for word in InputKind::WORDS.iter().filter(|word| !["line", "area"].contains(word)) {
        assert!(input.contains(&format!("case \"{word}\":")), "values.js does not ask for `{word}`");
    }
    for kind in FieldType::WORDS {
        let kind = FieldType::from_word(kind).unwrap();
        assert_eq!(kind.shape().is_number(), ["integer", "float", "decimal"].contains(&kind.base().word()), "{kind:?}");
    }
    assert!(!script.contains("field_type"), "the console knows kinds of values, and no field types");
}
