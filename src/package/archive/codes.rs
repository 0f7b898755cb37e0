//! Codes of packages whose files are missing, changed, unsigned or unreadable.

use erp_manifest::codes::codes;

codes! { pub:
    ANOTHER_FILE = "package/another-file", package(422), "The file is not the one with the digest that was expected.",
        fix: "Compare where the digest comes from; get the file from its publisher.";
    DIGEST_MISMATCH = "package/digest-mismatch", package(422), "A file in the package is not the one that was signed.",
        fix: "Do not use it. Get the package from its publisher.";
    DOWNGRADE = "package/downgrade", package(422), "An older version would take the place of a newer one.",
        fix: "Publish a higher version; going back to old code means releasing it again under a new number.";
    MANIFEST = "package/manifest", package(422), "`erpx.json` cannot be read, or is of a format that this tool does not know.",
        fix: "Pack it again with this version of the tool, or get a newer tool.";
    MIMETYPE = "package/mimetype", package(422), "`mimetype` names another format.",
        fix: "Get a newer tool, or pack the project again.";
    MISSING_FILE = "package/missing-file", package(422), "A file that belongs into every package, or that was signed, is not there.",
        fix: "Get the package from its publisher.";
    STATEMENT = "package/statement", package(422), "The signed statement cannot be read, or is of a kind that this tool does not know.",
        fix: "Get a newer tool, or ask the publisher to pack it again.";
    STATEMENT_MISMATCH = "package/statement-mismatch", package(422), "The signed statement and the manifest disagree about what this is.",
        fix: "Do not use it: one of the two was exchanged.";
    SUPPLY_CHAIN = "package/supply-chain", package(422), "The bill of materials or the account of the build is about another component.",
        fix: "Build and pack again: `erp-plugin build --release`, `erp-plugin pack`.";
    UNKNOWN_FILE = "package/unknown-file", package(422), "`META/` holds a file that this version of the format does not know.",
        fix: "Get a newer tool, or ask the publisher to pack it again.";
    UNREADABLE = "package/unreadable", package(422), "Something in the package makes a decoder fail that no honest file makes fail.",
        fix: "Do not use it, and report the file: the tool should have a word of its own for it.";
    UNSIGNED_FILE = "package/unsigned-file", package(422), "A file is in the package that the signed statement does not name.",
        fix: "Do not use it: something was added after it was signed.";
    WITHDRAWN = "package/withdrawn", package(422), "The registry has taken the package back.",
        fix: "Install a later version, or an earlier one that was not withdrawn.";
}
