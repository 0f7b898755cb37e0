//! What a column holds, by its header and its values.

use std::collections::BTreeSet;

use erp_manifest::pattern::Pattern;
use serde::Serialize;

/// Different values that a select has at the most.
const MAX_OPTIONS: usize = 12;
/// Rows that each option must stand for, at least, on the average.
const ROWS_PER_OPTION: usize = 3;
/// Characters of one line of text.
const MAX_LINE: usize = 120;

/// A field as templates write it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FieldGuess {
    /// Its name.
    pub name: String,
    /// What the data calls it.
    pub display_name: String,
    /// The field type of the manifest.
    pub field_type: String,
    /// True where no row lacks it.
    pub required: bool,
    /// True where no two rows have the same.
    pub unique: bool,
    /// The values of a `select`.
    pub options: Vec<String>,
    /// The entity that a `ref` names rows of.
    pub ref_entity: Option<String>,
    /// Digits in all.
    pub precision: Option<u32>,
    /// Digits behind the point.
    pub scale: Option<u32>,
    /// A good value, as TOML; none for what another row must be made for.
    pub sample: Option<String>,
}

/// What whole values of a kind look like.
const INTEGER: &str = r"-?(0|[1-9]\d{0,17})";
const NUMBER: &str = r"-?(0|[1-9]\d{0,2}(,\d{3})+|[1-9]\d*)(\.\d+)?";
const DATE: &str = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}";
const MOMENT: &str = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?";
const EMAIL: &str = r"[^@\s]+@[^@\s]+\.[^@\s]+";
const URL: &str = r"https?://\S+";
const PHONE: &str = r"((\+\d{1,3}[- ]?)?1[3-9]\d{9}|0\d{2,3}-?\d{7,8})";
const UUID: &str = r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";

fn fits(pattern: &str, text: &str) -> bool {
    Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(text))
}

fn has_word(name: &str, words: &[&str]) -> bool {
    name.split('_').any(|word| words.contains(&word))
}

/// True for a name that says money.
pub(super) fn is_money(name: &str) -> bool {
    has_word(name, &["price", "amount", "cost", "total", "fee", "salary", "balance", "budget"])
}

/// True for a name that says that it tells rows apart.
fn tells_apart(name: &str) -> bool {
    has_word(name, &["code", "no", "sku", "email", "isbn", "barcode", "uuid"])
}

/// What a column is. `known` are the entities, by their names and by what the data calls them.
pub(super) fn guess(name: &str, header: &str, values: &[&str], known: &[(&str, &str)], own_entity: &str) -> FieldGuess {
    let present: Vec<&str> = values.iter().copied().filter(|value| !value.is_empty()).collect();
    let different: BTreeSet<&str> = present.iter().copied().collect();
    let all = |pattern: &str| !present.is_empty() && present.iter().all(|value| fits(pattern, value));
    let required = !present.is_empty() && present.len() == values.len();
    let is_different = present.len() > 1 && different.len() == present.len();
    let base = FieldGuess { required, display_name: header.trim().to_owned(), ..FieldGuess::default() };
    let field = |field_type: &str, sample: &str| FieldGuess {
        field_type: field_type.to_owned(),
        sample: Some(sample.to_owned()),
        name: name.to_owned(),
        ..base.clone()
    };
    let stem = name.strip_suffix("_id").unwrap_or(name);
    let target = known.iter().find(|(entity, said)| {
        *entity != own_entity && (name.ends_with("_id") && stem == *entity || header.trim() == *said)
    });
    if let Some((entity, _)) = target {
        return FieldGuess { ref_entity: Some((*entity).to_owned()), sample: None, ..field("ref", "") };
    }
    let is_boolean = |value: &&str| {
        matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "y" | "n" | "是" | "否")
    };
    if !present.is_empty() && present.iter().all(is_boolean) {
        return field("boolean", "true");
    }
    if !present.is_empty() && present.iter().all(|value| value.starts_with(['[', '{'])) {
        let words = |value: &&str| serde_json::from_str::<Vec<String>>(value).is_ok();
        return if present.iter().all(words) { field("tags", "[]") } else { field("json", "{}") };
    }
    if all(PHONE) && !tells_apart(name) {
        return field("phone", "\"13800000001\"");
    }
    if all(INTEGER) && !is_money(name) && !tells_apart(name) {
        return field("integer", "1");
    }
    if all(NUMBER) && !tells_apart(name) {
        let digits = present.iter().filter_map(|value| value.split_once('.')).map(|(_, digits)| digits.len()).max();
        let scale = digits.and_then(|digits| u32::try_from(digits).ok()).unwrap_or(0);
        if is_money(name) && scale <= 2 {
            return field("currency", "\"1.00\"");
        }
        return FieldGuess { scale: Some(scale), ..field("decimal", "\"1\"") };
    }
    if !present.is_empty()
        && present.iter().all(|value| value.strip_suffix('%').is_some_and(|number| fits(NUMBER, number)))
    {
        return field("percent", "\"10\"");
    }
    for (pattern, field_type, sample) in [
        (&DATE, "date", "\"2026-01-15\""),
        (&MOMENT, "datetime", "\"2026-01-15T08:00:00+08:00\""),
        (&EMAIL, "email", "\"a@example.com\""),
        (&URL, "url", "\"https://example.com\""),
        (&UUID, "uuid", "\"00000000-0000-7000-8000-000000000001\""),
    ] {
        if all(pattern) {
            return FieldGuess { unique: is_different && tells_apart(name), ..field(field_type, sample) };
        }
    }
    let is_short = |value: &&str| value.chars().count() <= 20;
    let repeats = different.len() <= MAX_OPTIONS && present.len() >= different.len() * ROWS_PER_OPTION;
    if repeats && different.len() > 1 && different.iter().all(is_short) {
        // In the order in which the data names them.
        let mut options: Vec<String> = Vec::new();
        for value in &present {
            if !options.iter().any(|known| known == value) {
                options.push((*value).to_owned());
            }
        }
        let sample = toml::Value::String(options.first().cloned().unwrap_or_default()).to_string();
        return FieldGuess { options, ..field("select", &sample) };
    }
    let is_long = |value: &&str| value.chars().count() > MAX_LINE || value.contains('\n');
    let field_type = if present.iter().any(is_long) { "text" } else { "string" };
    FieldGuess { unique: is_different && tells_apart(name), ..field(field_type, "\"样例\"") }
}
