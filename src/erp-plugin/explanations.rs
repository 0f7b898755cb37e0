//! All codes of the program, collected from the modules that declare them. `erp-plugin explain` and the pages of codes
//! use them.

use std::collections::{BTreeMap, BTreeSet};

use erp_check::finding_codes;
use erp_manifest::codes::{Code, errors};

use crate::{command_error, generate};

/// All codes, sorted by name.
pub(crate) fn all() -> Vec<Code> {
    let others = [command_error::codes::CODES, errors::CODES, generate::codes::CODES];
    let others = others.into_iter().flatten().copied();
    let mut codes: Vec<Code> = finding_codes().chain(erp_package::codes()).chain(others).collect();
    codes.sort_by_key(|code| code.name());
    codes
}

/// Parts of error messages in lower case, and the codes that explain them; see also `docs/known-errors.md`.
const SYMPTOMS: &[(&str, &[&str])] = &[
    ("can't find crate for `std`", &["toolchain/missing-target"]),
    ("target may not be installed", &["toolchain/missing-target"]),
    ("wasm32-wasip2` may not be installed", &["toolchain/missing-target"]),
    ("wasm32-wasip2 not found", &["toolchain/missing-target"]),
    ("target not found", &["toolchain/missing-target"]),
    ("not a valid component", &["component/core-module", "component/invalid"]),
    ("with a component parser", &["component/core-module"]),
    ("with component parser", &["component/core-module"]),
    ("wasm trap: interrupt", &["limit.time"]),
    ("address already in use", &["dev-host"]),
    ("incompatible wit", &["component/wrong-version", "component/interface-mismatch", "component/wrong-world"]),
    ("out of bounds memory access", &["guest.fault", "guest.stack_overflow"]),
    ("unknown import", &["component/unknown-import", "component/wasi-import"]),
    ("matching implementation was not found in the linker", &["component/unknown-import", "component/wasi-import"]),
    ("stack overflow", &["guest.stack_overflow"]),
    ("call stack exhausted", &["guest.stack_overflow"]),
    ("limit exceeded: memory", &["limit.memory", "component/excessive"]),
    ("memory allocation of", &["limit.memory"]),
    ("symbol not found", &["component/several-modules"]),
    ("undefined symbol", &["component/several-modules"]),
    ("all fuel consumed", &["limit.fuel"]),
    ("execution exceeded", &["limit.time", "limit.fuel"]),
    ("unreachable", &["guest.panic"]),
    ("panicked at", &["guest.panic"]),
    ("lock file", &["build/lock-outdated"]),
    ("no such file or directory", &["io"]),
    ("permission denied", &["io"]),
    ("no space left on device", &["io"]),
    ("connection refused", &["publish/unreachable"]),
    ("certificate", &["publish/certificate"]),
    ("cargo.lock does not say", &["build/lock-outdated"]),
    ("there is no plugin.toml", &["project"]),
    ("makes core modules", &["build/setup"]),
    ("the passphrase", &["key"]),
    ("nobody hears", &["scenario/unknown-name"]),
    ("no running plugin hears", &["event.unheard"]),
];

/// The codes that a text is about: those that it names, else those of a known error message, else those with the most
/// similar texts. `example` returns the example output of a code.
pub(crate) fn codes_for_text(text: &str, example: impl Fn(Code) -> Option<&'static str>) -> Vec<Code> {
    let all = all();
    let words: Vec<&str> =
        text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "./-_".contains(letter))).collect();
    // Only a name with a `.` or a `/` counts: `build` is also a common word.
    let is_named =
        |code: &&Code| words.iter().any(|word| word.trim_end_matches('.') == code.name() && word.contains(['.', '/']));
    let named: Vec<Code> = all.iter().filter(is_named).copied().collect();
    if !named.is_empty() {
        return named;
    }
    let lower = text.to_lowercase();
    let meant = SYMPTOMS.iter().find(|(symptom, _)| lower.contains(symptom)).map_or(&[][..], |(_, codes)| codes);
    let meant: Vec<Code> =
        meant.iter().filter_map(|name| all.iter().find(|code| code.name() == *name).copied()).collect();
    if meant.is_empty() { nearest(&lower, &all, example) } else { meant }
}

/// The codes whose texts share the most words with a text; rare words count more. At most three, and none if too few
/// words are shared.
fn nearest(text: &str, all: &[Code], example: impl Fn(Code) -> Option<&'static str>) -> Vec<Code> {
    const ENOUGH: f64 = 0.45;
    const AS_NEAR: f64 = 0.85;
    const MOST: usize = 3;
    let of_code = |code: &Code| {
        let texts = [code.title(), code.why(), code.fix(), example(*code).unwrap_or_default()];
        words(&texts.join(" ").to_lowercase())
    };
    let known: Vec<(Code, BTreeSet<String>)> = all.iter().map(|code| (*code, of_code(code))).collect();
    let weight = |word: &String| {
        let with = known.iter().filter(|(_, words)| words.contains(word)).count();
        ((known.len() + 1) as f64 / (with + 1) as f64).ln()
    };
    // Words that no code's text contains, such as file names and numbers, say nothing about the code.
    let asked: BTreeMap<String, f64> = words(text)
        .into_iter()
        .filter(|word| known.iter().any(|(_, words)| words.contains(word)))
        .map(|word| (word.clone(), weight(&word)))
        .collect();
    let whole: f64 = asked.values().sum();
    if asked.len() < 3 {
        return Vec::new();
    }
    let score = |words: &BTreeSet<String>| asked.iter().filter(|(word, _)| words.contains(*word)).map(|(_, w)| w).sum();
    let mut scored: Vec<(f64, Code)> = known.iter().map(|(code, words)| (score(words), *code)).collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0));
    let best = scored.first().map_or(0.0, |(score, _)| *score);
    let near = scored.iter().take_while(|(score, _)| *score >= best * AS_NEAR && *score >= whole * ENOUGH);
    near.take(MOST).map(|(_, code)| *code).collect()
}

/// The significant words of a text: longer than two characters, and not common.
fn words(text: &str) -> BTreeSet<String> {
    const COMMON: [&str; 30] = [
        "the", "and", "for", "not", "that", "this", "with", "has", "have", "are", "was", "which", "what", "where",
        "its", "from", "into", "than", "error", "help", "erp", "plugin", "toml", "does", "there", "one", "can",
        "cannot", "but", "out",
    ];
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| word.chars().count() > 2 && !COMMON.contains(word)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{SYMPTOMS, all, codes_for_text};
    use erp_manifest::codes::Consequence;

    #[test]
    fn every_symptom_leads_to_codes_that_there_are() {
        for (symptom, codes) in SYMPTOMS {
            let found: Vec<&str> = codes_for_text(symptom, |_| None).iter().map(|code| code.name()).collect();
            assert_eq!(found, *codes, "{symptom}");
        }
        let named: Vec<&str> =
            codes_for_text("failed (db.not_found): there is no row", |_| None).iter().map(|code| code.name()).collect();
        assert_eq!(named, ["db.not_found"]);
        assert!(codes_for_text("something else", |_| None).is_empty());
        let near = |text: &str| codes_for_text(text, |_| None).iter().map(|code| code.name()).collect::<Vec<_>>();
        assert!(
            near("dist/erp-inv.wasm is not made of the present sources: plugin.toml changed")
                .contains(&"component/stale")
        );
        assert!(near("the passphrase from --passphrase-file does not open the key `team`").contains(&"key"));
    }

    #[test]
    fn names_are_unique_and_texts_complete() {
        let codes = all();
        for pair in codes.windows(2) {
            assert!(pair[0].name() < pair[1].name(), "two codes are named {}", pair[0]);
        }
        for code in codes {
            assert!(!code.title().is_empty() && !code.fix().is_empty(), "{code} lacks a text");
            assert!(code.title().ends_with('.') && code.fix().ends_with('.'), "{code}: texts are sentences");
            let is_package = matches!(code.consequence(), Consequence::Package(_));
            assert!(is_package || !code.why().is_empty(), "{code} does not say why");
        }
    }
}
