//! A code for the tests of this module, which does not use the rules.

use crate::codes::codes;

codes! {
    INVALID_VALUE = "manifest/invalid-value", finding(Error), "A value that cannot be read as what the key means.",
        why: "The platform would refuse it on upload.",
        fix: "Write the value in the form that the finding names.";
}

#[test]
fn a_code_is_itself_and_knows_what_follows() {
    assert_eq!(CODES, [INVALID_VALUE]);
    assert_eq!((INVALID_VALUE.status(), INVALID_VALUE.is_retryable()), (422, false));
}
