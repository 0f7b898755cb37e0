//! "Did you mean": the known word that is nearest to an unknown one.

/// Words of other tools and languages, with the words that replace them here.
const MEANINGS: &[(&str, &str)] = &[
    ("amount", "currency"),
    ("board", "kanban"),
    ("bool", "boolean"),
    ("char", "string"),
    ("chart", "dashboard"),
    ("choice", "select"),
    ("dept", "department"),
    ("double", "decimal"),
    ("dropdown", "select"),
    ("employee", "user"),
    ("enum", "select"),
    ("file", "attachment"),
    ("foreign_key", "ref"),
    ("form", "crud"),
    ("grid", "crud"),
    ("html", "rich_text"),
    ("iframe", "custom"),
    ("int", "integer"),
    ("int64", "bigint"),
    ("jsonb", "json"),
    ("link", "ref"),
    ("list", "crud"),
    ("location", "geo_point"),
    ("long", "bigint"),
    ("longtext", "text"),
    ("lookup", "ref"),
    ("many2many", "ref_many"),
    ("many2one", "ref"),
    ("money", "currency"),
    ("number", "decimal"),
    ("numeric", "decimal"),
    ("object", "json"),
    ("percentage", "percent"),
    ("photo", "image"),
    ("picture", "image"),
    ("price", "currency"),
    ("real", "decimal"),
    ("reference", "ref"),
    ("relation", "ref"),
    ("report", "dashboard"),
    ("statistics", "dashboard"),
    ("str", "string"),
    ("table", "crud"),
    ("textarea", "text"),
    ("timestamp", "datetime"),
    ("varchar", "string"),
];

/// Returns the known word with the same meaning, or else the nearest one, if it is near enough.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let folded = word.to_lowercase().replace(['-', ' '], "_");
    let meant = MEANINGS.iter().find(|(foreign, _)| *foreign == folded).map(|(_, own)| *own);
    if let Some(own) = known.iter().find(|own| Some(**own) == meant) {
        return Some(own);
    }
    nearest(word, known, |length| (length / 3).max(1)).map(|(_, candidate)| candidate)
}

/// Returns the known word that a misspelled one must mean: at most two letters differ (one below eight letters, none
/// below five), and no other word is as near. For changes that are made without asking.
pub fn obvious<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let most = |length: usize| match length {
        0..5 => 0,
        5..8 => 1,
        _ => 2,
    };
    let (distance, found) = nearest(word, known.clone(), most)?;
    let others = known.into_iter().filter(|other| *other != found);
    let next = nearest(word, others, |_| distance);
    if next.is_none() { Some(found) } else { None }
}

fn nearest<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
    most: impl Fn(usize) -> usize,
) -> Option<(usize, &'a str)> {
    let folded = word.to_lowercase().replace(['-', ' '], "_");
    let length = folded.chars().count();
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let other = candidate.chars().count();
        let bound = most(other.max(length));
        // Words with very different lengths cannot be near.
        if other.abs_diff(length) > bound {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&folded, &candidate.to_lowercase().replace('-', "_"));
        if distance <= bound && best.is_none_or(|(known, _)| distance < known) {
            best = Some((distance, candidate));
        }
    }
    best
}

/// Returns a help text: the nearest word, or all words if there are at most 12.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(candidate) = closest(word, known.iter().copied()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    match known.len() {
        0 => None,
        1..=12 => Some(format!("known here: {}", known.join(", "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        assert_eq!(closest("feild_type", ["field_type", "name"]), Some("field_type"));
        assert_eq!(closest("display-name", ["display_name"]), Some("display_name"));
        assert_eq!(obvious("feild_type", ["field_type", "name"]), Some("field_type"));
        assert_eq!(obvious("one_to_one", ["one_to_many", "many_to_one"]), None, "three letters are a guess");
        assert_eq!(obvious("data", ["date", "text"]), None, "short words are near to too many");
        assert_eq!(obvious("q", ["g", "h"]), None);
        assert_eq!(obvious("titel", ["title", "total"]), Some("title"));
        assert_eq!(closest("Money", ["currency", "many"]), Some("currency"), "the meaning goes before the letters");
        assert_eq!(closest("banana", ["field_type", "name"]), None);
        assert_eq!(did_you_mean("x", ["name", "label"]), Some("known here: name, label".to_owned()));
    }
}
