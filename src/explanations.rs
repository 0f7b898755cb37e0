//! Every code of the program, collected from the rooms that declare them: what `erp-plugin explain` knows, and what
//! the pages of codes are made from.

use crate::check::finding_codes;
use crate::codes::{Code, errors};
use crate::{archive, command_error, signing, strict_zip, verification};

/// Every code, sorted by name.
pub(crate) fn all() -> Vec<Code> {
    let others = [
        archive::codes::CODES,
        command_error::codes::CODES,
        errors::CODES,
        signing::codes::CODES,
        strict_zip::codes::CODES,
        verification::codes::CODES,
    ];
    let mut codes: Vec<Code> = finding_codes().chain(others.into_iter().flatten().copied()).collect();
    codes.sort_by_key(|code| code.name());
    codes
}

/// What other tools say, in small letters, and the codes that say it here; `docs/known-errors.md` has the same.
const SYMPTOMS: &[(&str, &[&str])] = &[
    ("can't find crate for `std`", &["toolchain/missing-target"]),
    ("wasm32-wasip2` may not be installed", &["toolchain/missing-target"]),
    ("wasm32-wasip2 not found", &["toolchain/missing-target"]),
    ("target not found", &["toolchain/missing-target"]),
    ("not a valid component", &["component/core-module", "component/invalid"]),
    ("attempted to parse a wasm module with a component parser", &["component/core-module"]),
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
];

/// The codes that a text is about: those that it names, else those of what it says.
pub(crate) fn of_text(text: &str) -> Vec<Code> {
    let all = all();
    let words: Vec<&str> =
        text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "./-_".contains(letter))).collect();
    // A single common word such as `build` is none, where it stands in a sentence.
    let is_named =
        |code: &&Code| words.iter().any(|word| word.trim_end_matches('.') == code.name() && word.contains(['.', '/']));
    let named: Vec<Code> = all.iter().filter(is_named).copied().collect();
    if !named.is_empty() {
        return named;
    }
    let lower = text.to_lowercase();
    let meant = SYMPTOMS.iter().find(|(symptom, _)| lower.contains(symptom)).map_or(&[][..], |(_, codes)| codes);
    meant.iter().filter_map(|name| all.iter().find(|code| code.name() == *name).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::{SYMPTOMS, all, of_text};
    use crate::codes::Consequence;

    #[test]
    fn every_symptom_leads_to_codes_that_there_are() {
        for (symptom, codes) in SYMPTOMS {
            let found: Vec<&str> = of_text(symptom).iter().map(|code| code.name()).collect();
            assert_eq!(found, *codes, "{symptom}");
        }
        let named: Vec<&str> =
            of_text("failed (db.not_found): there is no row").iter().map(|code| code.name()).collect();
        assert_eq!(named, ["db.not_found"]);
        assert!(of_text("something else").is_empty());
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
