//! Codes of missing and invalid signatures.

use erp_manifest::codes::codes;

/// The fix for a damaged file.
const DAMAGED: &str =
    "Get the file again; it was cut or changed on the way, or somebody built it by hand to confuse readers.";

codes! { pub:
    BAD = "signature/bad", package(403), "A signature was not made by the key that it names, or the statement was changed since.",
        fix: "Do not use the package. Get it from its publisher.";
    ENVELOPE = "signature/envelope", package(403), "The envelope with the signatures cannot be read.",
        fix: super::DAMAGED;
    EXPIRED = "signature/expired", package(403), "The key's time was over, and no receipt says that a registry took the package before.",
        fix: "Ask for a version that was signed with the new key, or verify with the receipt: `--against-receipt`.";
    KEY_CHANGED = "signature/key-changed", package(403), "The plugin came from another key before, and nothing links the two.",
        fix: "Ask the publisher. Where they changed their key, they can prove it: `erp-plugin key rotate`.";
    OUT_OF_SCOPE = "signature/out-of-scope", package(403), "The key is trusted for other plugins than this one.",
        fix: "Trust it for this one too, where that is right: `erp-plugin key trust`.";
    REVOKED = "signature/revoked", package(403), "The key was revoked, and no receipt says that a registry took the package before.",
        fix: "Ask for a version that was signed with another key, or verify with the receipt: `--against-receipt`.";
    TOO_FEW = "signature/too-few", package(403), "Fewer trusted keys have signed it than this plugin needs.",
        fix: "Have the others sign it: `erp-plugin sign`.";
    TOO_MANY = "signature/too-many", package(403), "The envelope has more signatures than anyone needs.",
        fix: "Ask the publisher for a package with the signatures that count.";
    UNSIGNED = "signature/unsigned", package(403), "Nobody has signed it.",
        fix: "Sign it: `erp-plugin sign --key NAME`.";
    UNTRUSTED = "signature/untrusted", package(403), "Nobody whom you trust has signed it.",
        fix: "Compare the key's id with what the publisher says elsewhere, then trust it: `erp-plugin key trust`.";
}
