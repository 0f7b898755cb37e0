//! "Did you mean": the known word that is nearest to an unknown one.

/// The nearest of the known words, where one is near enough to be what was meant.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase().replace(['-', ' '], "_");
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase().replace('-', "_")), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count().max(word.chars().count()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A help text: the nearest word, or all of them where they are few.
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
        assert_eq!(closest("banana", ["field_type", "name"]), None);
        assert_eq!(did_you_mean("x", ["name", "label"]), Some("known here: name, label".to_owned()));
    }
}
