//! Converts names of the manifest to names in Rust.

use std::collections::BTreeSet;

/// Keywords of Rust. Those of the second list are never written as `r#…`.
const KEYWORDS: [&str; 47] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move",
    "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while",
];
const NEVER_RAW: [&str; 4] = ["crate", "self", "super", "yield"];

/// `purchase_order` or `purchase-order` → `PurchaseOrder`.
pub(super) fn camel(name: &str) -> String {
    let words = name.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    let word = |word: &str| {
        let mut characters = word.chars();
        let first = characters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
        first + characters.as_str()
    };
    starting_with_a_letter(words.map(word).collect(), "V")
}

/// Words joined by `_`.
fn joined(name: &str) -> String {
    let words = name.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    starting_with_a_letter(words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_"), "v_")
}

/// The name of a function or a field.
pub(super) fn snake(name: &str) -> String {
    let name = joined(name);
    if NEVER_RAW.contains(&name.as_str()) {
        format!("{name}_")
    } else if KEYWORDS.contains(&name.as_str()) {
        format!("r#{name}")
    } else {
        name
    }
}

/// The name of a constant.
pub(super) fn constant(name: &str) -> String {
    let name = snake(name);
    name.strip_prefix("r#").unwrap_or(&name).to_ascii_uppercase()
}

fn starting_with_a_letter(name: String, prefix: &str) -> String {
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) { name } else { format!("{prefix}{name}") }
}

/// A variant name for each value of a select. A value without an ASCII letter or digit is numbered.
pub(super) fn variants<'v>(values: impl Iterator<Item = &'v str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut names = Vec::new();
    for (index, value) in values.enumerate() {
        let ascii: String = value.chars().map(|character| if character.is_ascii() { character } else { ' ' }).collect();
        let named = ascii.bytes().any(|byte| byte.is_ascii_alphanumeric());
        let mut name = if named { camel(&ascii) } else { format!("Option{}", index + 1) };
        while name == "Self" || !taken.insert(name.clone()) {
            name = format!("{name}{}", index + 1);
        }
        names.push(name);
    }
    names
}

/// Names of types that generated files use themselves, from Rust and from the toolkit.
const USED_TYPES: [&str; 28] = [
    "Date",
    "DateTime",
    "Decimal",
    "Entity",
    "Err",
    "Error",
    "Event",
    "Exports",
    "Field",
    "Fields",
    "From",
    "Id",
    "Into",
    "JsonValue",
    "NewRow",
    "None",
    "Ok",
    "Option",
    "Placed",
    "Result",
    "Run",
    "Self",
    "Some",
    "String",
    "Table",
    "Time",
    "Uuid",
    "Value",
];

/// Names of one file: all different, and none that the file uses itself.
#[derive(Debug, Default)]
pub(super) struct TakenNames(BTreeSet<String>);

impl TakenNames {
    /// Takes the wanted name; where it is in use, adds the suffix, and then a number.
    pub(super) fn take(&mut self, wanted: &str, suffix: &str) -> String {
        let later = (2..).map(|number| format!("{wanted}{suffix}{number}"));
        let mut free = [wanted.to_owned(), format!("{wanted}{suffix}")].into_iter().chain(later);
        let is_free = |name: &String| !self.0.contains(name) && !USED_TYPES.contains(&name.as_str()) && name != "Vec";
        let name = free.find(is_free).unwrap_or_default();
        self.0.insert(name.clone());
        name
    }

    /// Starts with names that `take` may not return.
    pub(super) fn reserving(names: &[&str]) -> TakenNames {
        TakenNames(names.iter().map(|name| (*name).to_owned()).collect())
    }
}

/// A short name for each dotted name: without its first word, unless that makes two names equal.
pub(super) fn short_names(dotted: &[&str]) -> Vec<String> {
    let short = |name: &str| name.split_once('.').map_or(name, |(_, rest)| rest).to_owned();
    let all: Vec<String> = dotted.iter().map(|name| joined(&short(name))).collect();
    let is_one_of_several = |name: &String| all.iter().filter(|other| *other == name).count() > 1;
    dotted
        .iter()
        .zip(&all)
        .map(|(whole, short)| if is_one_of_several(short) { joined(whole) } else { short.clone() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names() {
        assert_eq!(camel("purchase_order"), "PurchaseOrder");
        assert_eq!(camel("3d-model"), "V3dModel");
        assert_eq!((snake("type").as_str(), constant("type").as_str()), ("r#type", "TYPE"));
        assert_eq!(snake("self"), "self_");
        assert_eq!(
            variants(["draft", "已审核", "1", "1 ", "Self"].into_iter()),
            ["Draft", "Option2", "V1", "V14", "Self5"]
        );
        assert_eq!(short_names(&["a.if"]), ["if"]);
        let mut taken = TakenNames::default();
        assert_eq!(
            ["Order", "Result", "Order"].map(|name| taken.take(name, "Row")),
            ["Order", "ResultRow", "OrderRow"]
        );
        assert_eq!(short_names(&["a.order.done", "b.order.done", "a.low"]), ["a_order_done", "b_order_done", "low"]);
    }
}
