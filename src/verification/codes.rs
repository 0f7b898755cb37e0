//! Every code of a package that is refused: the one text behind `explain` and the page of the format.

/// A reason to refuse a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageCode {
    /// The code.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub next: &'static str,
}

const fn code(name: &'static str, meaning: &'static str, next: &'static str) -> PackageCode {
    PackageCode { name, meaning, next }
}

/// What helps where a container has not the one form.
const REPACK: &str = "Pack the project with `erp-plugin pack`; other tools do not write this form. Where a stranger sent it, ask for the file as their tool wrote it.";
const DAMAGED: &str =
    "Get the file again; it was cut or changed on the way, or somebody built it by hand to confuse readers.";

/// All of them, ordered by name.
pub const CODES: &[PackageCode] = &[
    code("archive/count-mismatch", "The end of the archive counts its entries in two ways.", DAMAGED),
    code("archive/crc", "The checksum of an entry is not that of its content.", DAMAGED),
    code("archive/deflate", "An entry cannot be inflated, or not to the size that it promises.", DAMAGED),
    code(
        "archive/directory-range",
        "The directory does not lie right before the end, or has other entries than it counts.",
        DAMAGED,
    ),
    code(
        "archive/duplicate-name",
        "Two entries have one name, perhaps apart from its case: two readers would see two packages.",
        REPACK,
    ),
    code(
        "archive/end-not-at-end",
        "The file does not end with a zip's directory: it was cut, something is appended, or it is no zip.",
        DAMAGED,
    ),
    code(
        "archive/extra",
        "An entry has extra fields or a comment, where other readers look for other names and sizes.",
        REPACK,
    ),
    code("archive/file-is-folder", "An entry is a file, and the folder of another one.", REPACK),
    code(
        "archive/flags",
        "An entry is encrypted, or has its sizes behind its data, or says something else in its flags.",
        REPACK,
    ),
    code("archive/gap", "There are bytes between the entries that belong to none of them.", REPACK),
    code(
        "archive/limit",
        "A bound of the reader is passed; the message names it.",
        "Where you trust the file, raise the bound: `--limit NAME=VALUE`.",
    ),
    code(
        "archive/local-mismatch",
        "The header before an entry says something else than the directory: two readers would see two packages.",
        REPACK,
    ),
    code("archive/method", "An entry is compressed in another way than deflate.", REPACK),
    code("archive/multi-disk", "The archive says that it is part of a set of disks.", REPACK),
    code(
        "archive/name",
        "The name of an entry is not the same on every system, or leads out of a folder.",
        "Rename the file: ASCII letters, digits, `.`, `_` and `-`, in at most 8 parts.",
    ),
    code(
        "archive/not-canonical",
        "Something differs from the one form, such as a time, an attribute, or the version of the tool.",
        REPACK,
    ),
    code(
        "archive/not-contiguous",
        "An entry does not begin where the one before it ends: entries share data, or leave some out.",
        DAMAGED,
    ),
    code("archive/not-regular", "An entry is a folder, a link or a device, or has other rights than 0644.", REPACK),
    code("archive/order", "The entries are not in their order.", REPACK),
    code(
        "archive/padding",
        "Bits of a compressed entry that carry nothing are not zero: the same content has another file.",
        DAMAGED,
    ),
    code("archive/size", "A stored entry has two sizes.", DAMAGED),
    code("archive/too-short", "The file is shorter than the smallest archive.", DAMAGED),
    code("archive/version", "An entry asks for another version of zip.", REPACK),
    code("archive/zip64", "The archive uses zip64, which a package never needs.", REPACK),
    code(
        "package/another-file",
        "The file is not the one with the digest that was expected.",
        "Compare where the digest comes from; get the file from its publisher.",
    ),
    code(
        "package/digest-mismatch",
        "A file in the package is not the one that was signed.",
        "Do not use it. Get the package from its publisher.",
    ),
    code(
        "package/downgrade",
        "An older version would take the place of a newer one.",
        "Publish a higher version; going back to old code means releasing it again under a new number.",
    ),
    code(
        "package/manifest",
        "`erpx.json` cannot be read, or is of a format that this tool does not know.",
        "Pack it again with this version of the tool, or get a newer tool.",
    ),
    code("package/mimetype", "`mimetype` names another format.", "Get a newer tool, or pack the project again."),
    code(
        "package/missing-file",
        "A file that belongs into every package, or that was signed, is not there.",
        "Get the package from its publisher.",
    ),
    code(
        "package/statement",
        "The signed statement cannot be read, or is of a kind that this tool does not know.",
        "Get a newer tool, or ask the publisher to pack it again.",
    ),
    code(
        "package/statement-mismatch",
        "The signed statement and the manifest disagree about what this is.",
        "Do not use it: one of the two was exchanged.",
    ),
    code(
        "package/supply-chain",
        "The bill of materials or the account of the build is about another component.",
        "Build and pack again: `erp-plugin build --release`, `erp-plugin pack`.",
    ),
    code(
        "package/unknown-file",
        "`META/` holds a file that this version of the format does not know.",
        "Get a newer tool, or ask the publisher to pack it again.",
    ),
    code(
        "package/unreadable",
        "Something in the package makes a decoder fail that no honest file makes fail.",
        "Do not use it, and report the file: the tool should have a word of its own for it.",
    ),
    code(
        "package/unsigned-file",
        "A file is in the package that the signed statement does not name.",
        "Do not use it: something was added after it was signed.",
    ),
    code(
        "package/withdrawn",
        "The registry has taken the package back.",
        "Install a later version, or an earlier one that was not withdrawn.",
    ),
    code(
        "receipt/another-package",
        "The receipt is for another file, or calls this one by another name.",
        "Get the receipt of this version from the registry.",
    ),
    code("receipt/bad-signature", "The receipt is not what the registry signed.", "Get it again from the registry."),
    code("receipt/unreadable", "The receipt is no signed statement of a registry.", "Get it again from the registry."),
    code(
        "receipt/untrusted",
        "Nobody whom you trust as a registry has signed the receipt.",
        "Compare the registry's key with what it says elsewhere, then trust it: `erp-plugin key trust FILE --registry NAME`.",
    ),
    code(
        "signature/bad",
        "A signature was not made by the key that it names, or the statement was changed since.",
        "Do not use the package. Get it from its publisher.",
    ),
    code("signature/envelope", "The envelope with the signatures cannot be read.", DAMAGED),
    code(
        "signature/expired",
        "The key's time was over, and no receipt says that a registry took the package before.",
        "Ask for a version that was signed with the new key, or verify with the receipt: `--against-receipt`.",
    ),
    code(
        "signature/key-changed",
        "The plugin came from another key before, and nothing links the two.",
        "Ask the publisher. Where they changed their key, they can prove it: `erp-plugin key rotate`.",
    ),
    code(
        "signature/out-of-scope",
        "The key is trusted for other plugins than this one.",
        "Trust it for this one too, where that is right: `erp-plugin key trust`.",
    ),
    code(
        "signature/revoked",
        "The key was revoked, and no receipt says that a registry took the package before.",
        "Ask for a version that was signed with another key, or verify with the receipt: `--against-receipt`.",
    ),
    code(
        "signature/too-few",
        "Fewer trusted keys have signed it than this plugin needs.",
        "Have the others sign it: `erp-plugin sign`.",
    ),
    code(
        "signature/too-many",
        "The envelope has more signatures than anyone needs.",
        "Ask the publisher for a package with the signatures that count.",
    ),
    code("signature/unsigned", "Nobody has signed it.", "Sign it: `erp-plugin sign --key NAME`."),
    code(
        "signature/untrusted",
        "Nobody whom you trust has signed it.",
        "Compare the key's id with what the publisher says elsewhere, then trust it: `erp-plugin key trust`.",
    ),
];
