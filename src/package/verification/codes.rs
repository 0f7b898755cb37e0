//! Codes of refused receipts.

use erp_manifest::codes::codes;

codes! { pub:
    ANOTHER_PACKAGE = "receipt/another-package", package(422), "The receipt is for another file, or calls this one by another name.",
        fix: "Get the receipt of this version from the registry.";
    BAD_SIGNATURE = "receipt/bad-signature", package(422), "The receipt is not what the registry signed.",
        fix: "Get it again from the registry.";
    UNREADABLE = "receipt/unreadable", package(422), "The receipt is no signed statement of a registry.",
        fix: "Get it again from the registry.";
    UNTRUSTED = "receipt/untrusted", package(422), "Nobody whom you trust as a registry has signed the receipt.",
        fix: "Compare the registry's key with what it says elsewhere, then trust it: `erp-plugin key trust FILE --registry NAME`.";
}
