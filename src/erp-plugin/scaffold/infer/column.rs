//! Guesses the field of a column from its header and its values.

use std::collections::BTreeSet;

use erp_manifest::pattern::Pattern;
use serde::Serialize;

/// The most different values of a select.
const MAX_OPTIONS: usize = 12;
/// The fewest rows for each option, on average.
const ROWS_PER_OPTION: usize = 3;
/// The most characters of one line of text.
const MAX_LINE: usize = 120;

/// A guessed field, in the form that templates use.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FieldGuess {
    /// The name.
    pub name: String,
    /// The name in the data.
    pub display_name: String,
    /// The field type of the manifest.
    pub field_type: String,
    /// True where every row has a value.
    pub required: bool,
    /// True where no two rows have the same value.
    pub unique: bool,
    /// The values of a `select`.
    pub options: Vec<String>,
    /// The entity whose rows a `ref` names.
    pub ref_entity: Option<String>,
    /// Digits in total.
    pub precision: Option<u32>,
    /// Digits after the decimal point.
    pub scale: Option<u32>,
    /// A valid value, as TOML; none for a reference, which needs another row first.
    pub sample: Option<String>,
}

/// Patterns that complete values of a kind match.
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

/// True for a name that means money.
pub(super) fn is_money(name: &str) -> bool {
    has_word(name, &["price", "amount", "cost", "total", "fee", "salary", "balance", "budget"])
}

/// True for a name that means a key, whose values differ in all rows.
fn tells_apart(name: &str) -> bool {
    has_word(name, &["code", "no", "sku", "email", "isbn", "barcode", "uuid"])
}

/// Guesses the field of a column. `known` are the entities: the name of each, and its name in the data.
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
        // In the order of their first row.
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
