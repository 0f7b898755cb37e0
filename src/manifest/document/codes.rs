//! Codes for files that cannot be parsed, and for values that are not valid for their keys.

use crate::codes::codes;

codes! { pub:
    TOML_SYNTAX = "toml/syntax", finding(Error), "The file is not valid TOML.",
        why: "Nothing behind the place can be read for sure, so no other rule looks at the file.",
        fix: "Fix the place that the finding points to. Texts need quotes, and a table's keys come before its sub-tables.";
    JSON_SYNTAX = "json/syntax", finding(Error), "The file is not valid JSON.",
        why: "Nothing behind the place can be read for sure, so no other rule looks at the file.",
        fix: "Fix the place that the finding points to. JSON has no comments and no comma behind the last entry; names and texts stand in double quotes.";
    TOML_UNKNOWN_KEY = "toml/unknown-key", finding(Error), "A key that is not known in this table.",
        why: "A misspelled key would be ignored in silence, and the plugin would do something else than its manifest says.",
        fix: "Use the suggested key, or take the key away. `erp-plugin schema manifest` prints all keys, also for editors.";
    TOML_MISSING_KEY = "toml/missing-key", finding(Error), "A key that must be there is missing.",
        why: "There is no default that could stand for it.",
        fix: "Add the key to the table that the finding points to.";
    TOML_WRONG_TYPE = "toml/wrong-type", finding(Error), "A value of another type than the key takes.",
        why: "The platform would refuse the file, or read another value than you meant.",
        fix: "Write the value in the type that the finding names: texts in quotes, numbers and true or false without.";
    TOML_UNKNOWN_WORD = "toml/unknown-word", finding(Error), "A word that is not in the set that the key takes.",
        why: "The platform knows only the words of the set.",
        fix: "Use one of the words that the finding names.";
    INVALID_VALUE = "manifest/invalid-value", finding(Error), "A value that cannot be read as what the key means.",
        why: "The platform would refuse it on upload.",
        fix: "Write the value in the form that the finding names.";
    DUPLICATE = "manifest/duplicate", finding(Error), "The same name twice.",
        why: "The second one would hide the first one.",
        fix: "Rename one of them, or take it away.";
}
