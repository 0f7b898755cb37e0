//! The index by which SQLite finds parts of texts: an index of the pieces of each text.
//!
//! A piece (gram) is two adjacent characters if one of them is not ASCII, so that a Chinese word of two characters is
//! found. Otherwise it is three ASCII characters: two of them occur in nearly every text. ASCII letters count as lower
//! case, as `like` compares them. A text that contains another one has all of its grams; whether it really contains
//! it is checked on the remaining rows.
//!
//! The index is an FTS5 table that stores the grams of each row, not the texts. It is not written with each row: that
//! costs several times as much as the row. Triggers record which rows were written since. A search checks those one by
//! one, and a unit of work that finds many of them adds them to the index, all at once.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use erp_storage::EntityRef;

/// The SQL function that returns the grams of a text.
const GRAMS: &str = "erp_grams";
/// The SQL function that returns the grams of the items of a list.
const GRAMS_OF_LIST: &str = "erp_grams_of_list";

/// Registers the functions with a connection.
#[cfg(feature = "sqlite")]
pub(super) fn register(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    use rusqlite::functions::FunctionFlags;
    use rusqlite::types::ValueRef;

    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    for (name, words) in [(GRAMS, words as fn(&str) -> String), (GRAMS_OF_LIST, words_of_list)] {
        connection.create_scalar_function(name, 1, flags, move |context| {
            Ok(match context.get_raw(0) {
                ValueRef::Text(text) => words(&String::from_utf8_lossy(text)),
                _ => String::new(),
            })
        })?;
    }
    Ok(())
}

/// The grams of a text as words for FTS5: hexadecimal code points, since its tokenizer keeps only letters and digits.
fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len() * 4);
    add_words(&mut words, text);
    words
}

/// The grams of each item of a JSON list of texts.
#[cfg(feature = "sqlite")]
fn words_of_list(json: &str) -> String {
    let items: Vec<serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    let mut words = String::new();
    for text in items.iter().filter_map(serde_json::Value::as_str) {
        add_words(&mut words, text);
    }
    words
}

fn add_words(words: &mut String, text: &str) {
    let characters: Vec<char> = text.chars().map(|letter| letter.to_ascii_lowercase()).collect();
    for (index, first) in characters.iter().enumerate() {
        let Some(second) = characters.get(index + 1) else { break };
        let third = match characters.get(index + 2) {
            _ if !first.is_ascii() || !second.is_ascii() => None,
            Some(third) if third.is_ascii() => Some(third),
            _ => continue,
        };
        let separator = if words.is_empty() { "" } else { " " };
        // Writing to a text in memory cannot fail.
        let _ = write!(words, "{separator}{:x}g{:x}", u32::from(*first), u32::from(*second));
        if let Some(third) = third {
            let _ = write!(words, "g{:x}", u32::from(*third));
        }
    }
}

/// The FTS5 query for the rows that may contain a text; `None` for a text too short for a gram.
pub(super) fn query(text: &str) -> Option<String> {
    let words = words(text);
    let words: BTreeSet<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
    let quoted: Vec<String> = words.into_iter().map(|word| format!("\"{word}\"")).collect();
    (!quoted.is_empty()).then(|| quoted.join(" "))
}

/// An index of grams over fields of an entity.
pub(super) struct GramsIndex<'e> {
    pub(super) name: String,
    pub(super) entity: &'e EntityRef,
    pub(super) fields: Vec<&'e str>,
}

impl GramsIndex<'_> {
    /// The statements that create the index, with the existing rows.
    pub(super) fn create_statement(&self) -> String {
        let (name, table) = (&self.name, self.entity.table());
        let changed = |field: &&str| format!("{} is not {}", value("old.data", field), value("new.data", field));
        let changed = self.fields.iter().map(changed).collect::<Vec<_>>().join(" or ");
        let note = |row: &str| format!("begin insert or ignore into \"{name}::new\" values ({row}.rowid); end");
        format!(
            "create virtual table \"{name}\" using fts5(grams, content = '', contentless_delete = 1, tokenize = 'ascii', detail = none);\n\
             create table \"{name}::new\" (row integer primary key) strict;\n\
             {};\n\
             create trigger \"{name}\" after insert on \"{table}\" {};\n\
             create trigger \"{name}::update\" after update of data on \"{table}\" when {changed} {};\n\
             create trigger \"{name}::delete\" after delete on \"{table}\" {}",
            self.insert_statement(""),
            note("new"),
            note("new"),
            note("old")
        )
    }

    /// The statements that add the rows written since.
    pub(super) fn take_up_statement(&self) -> String {
        let name = &self.name;
        let of_new = format!("where rowid in (select row from \"{name}::new\")");
        format!("delete from \"{name}\" {of_new};\n{};\ndelete from \"{name}::new\"", self.insert_statement(&of_new))
    }

    fn insert_statement(&self, of_rows: &str) -> String {
        let grams = |field: &&str| {
            let is_list = self.entity.field(field).is_some_and(|field| field.field_type.shape().is_list());
            let value = value("data", field);
            if is_list { format!("{GRAMS_OF_LIST}({value})") } else { format!("{GRAMS}(cast({value} as text))") }
        };
        let grams = self.fields.iter().map(grams).collect::<Vec<_>>().join(" || ' ' || ");
        let (name, table) = (&self.name, self.entity.table());
        format!("insert into \"{name}\" (rowid, grams) select rowid, {grams} from \"{table}\" {of_rows}")
    }

    /// SQL for the rows that may contain a text; its parameter is the result of [`query`].
    pub(super) fn candidates(&self) -> String {
        let name = &self.name;
        format!("select rowid from \"{name}\" where \"{name}\" match ? union all select row from \"{name}::new\"")
    }

    /// SQL for the number of rows written since.
    pub(super) fn count_new(&self) -> String {
        format!("select count(*) from \"{}::new\"", self.name)
    }
}

/// SQL for the value of a field, from a row's JSON.
fn value(data: &str, field: &str) -> String {
    format!("json_extract({data}, '$.{field}')")
}

/// The statements that drop an index, if it exists.
pub(super) fn drop_statement(name: &str) -> String {
    format!(
        "drop trigger if exists \"{name}\"; drop trigger if exists \"{name}::update\"; \
         drop trigger if exists \"{name}::delete\"; drop table if exists \"{name}::new\"; drop table if exists \"{name}\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_characters_of_chinese_are_a_gram_and_two_letters_are_none() {
        assert_eq!(words("深圳市"), "6df1g5733 5733g5e02");
        assert_eq!(words("AbcD"), "61g62g63 62g63g64");
        assert_eq!(words("ab深"), "62g6df1");
        #[cfg(feature = "sqlite")]
        assert_eq!(words_of_list(r#"["ab\"c", 7, "深圳"]"#), "61g62g22 62g22g63 6df1g5733");
        assert_eq!(query("深圳").as_deref(), Some("\"6df1g5733\""));
        for short in ["", "深", "ab"] {
            assert_eq!(query(short), None, "{short}");
        }
    }

    #[test]
    fn what_a_text_holds_has_only_grams_of_the_text() {
        let texts = ["Shenzhen 深圳市 Trading (华南) Co.", "aé深b cd", "🏭工厂A1", "ÄÖ ab%_c"];
        for text in texts {
            let whole = words(text);
            let whole: BTreeSet<&str> = whole.split(' ').collect();
            let letters: Vec<char> = text.chars().collect();
            for start in 0..letters.len() {
                for end in start + 1..=letters.len() {
                    let part: String = letters[start..end].iter().collect();
                    let part = words(&part.to_ascii_uppercase());
                    assert!(part.split(' ').filter(|word| !word.is_empty()).all(|word| whole.contains(word)), "{part}");
                }
            }
        }
    }
}
