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

#[cfg(test)]
mod tests {
    use super::all;
    use crate::codes::Consequence;

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
