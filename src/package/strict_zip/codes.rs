//! Codes of containers that are not in the canonical form of packages.

use erp_manifest::codes::codes;

/// The fix for a container that is not in the canonical form.
const REPACK: &str = "Pack the project with `erp-plugin pack`; other tools do not write this form. Where a stranger sent it, ask for the file as their tool wrote it.";
/// The fix for a damaged file.
const DAMAGED: &str =
    "Get the file again; it was cut or changed on the way, or somebody built it by hand to confuse readers.";

codes! { pub:
    COUNT_MISMATCH = "archive/count-mismatch", package(422), "The end of the archive counts its entries in two ways.",
        fix: super::DAMAGED;
    CRC = "archive/crc", package(422), "The checksum of an entry is not that of its content.",
        fix: super::DAMAGED;
    DEFLATE = "archive/deflate", package(422), "An entry cannot be inflated, or not to the size that it promises.",
        fix: super::DAMAGED;
    DIRECTORY_RANGE = "archive/directory-range", package(422), "The directory does not lie right before the end, or has other entries than it counts.",
        fix: super::DAMAGED;
    DUPLICATE_NAME = "archive/duplicate-name", package(422), "Two entries have one name, perhaps apart from its case: two readers would see two packages.",
        fix: super::REPACK;
    END_NOT_AT_END = "archive/end-not-at-end", package(422), "The file does not end with a zip's directory: it was cut, something is appended, or it is no zip.",
        fix: super::DAMAGED;
    EXTRA = "archive/extra", package(422), "An entry has extra fields or a comment, where other readers look for other names and sizes.",
        fix: super::REPACK;
    FILE_IS_FOLDER = "archive/file-is-folder", package(422), "An entry is a file, and the folder of another one.",
        fix: super::REPACK;
    FLAGS = "archive/flags", package(422), "An entry is encrypted, or has its sizes behind its data, or says something else in its flags.",
        fix: super::REPACK;
    GAP = "archive/gap", package(422), "There are bytes between the entries that belong to none of them.",
        fix: super::REPACK;
    LIMIT = "archive/limit", package(422), "A bound of the reader is passed; the message names it.",
        fix: "Where you trust the file, raise the bound: `--limit NAME=VALUE`.";
    LOCAL_MISMATCH = "archive/local-mismatch", package(422), "The header before an entry says something else than the directory: two readers would see two packages.",
        fix: super::REPACK;
    METHOD = "archive/method", package(422), "An entry is compressed in another way than deflate.",
        fix: super::REPACK;
    MULTI_DISK = "archive/multi-disk", package(422), "The archive says that it is part of a set of disks.",
        fix: super::REPACK;
    NAME = "archive/name", package(422), "The name of an entry is not the same on every system, or leads out of a folder.",
        fix: "Rename the file: ASCII letters, digits, `.`, `_` and `-`, in at most 8 parts.";
    NOT_CANONICAL = "archive/not-canonical", package(422), "Something differs from the one form, such as a time, an attribute, or the version of the tool.",
        fix: super::REPACK;
    NOT_CONTIGUOUS = "archive/not-contiguous", package(422), "An entry does not begin where the one before it ends: entries share data, or leave some out.",
        fix: super::DAMAGED;
    NOT_REGULAR = "archive/not-regular", package(422), "An entry is a folder, a link or a device, or has other rights than 0644.",
        fix: super::REPACK;
    ORDER = "archive/order", package(422), "The entries are not in their order.",
        fix: super::REPACK;
    PADDING = "archive/padding", package(422), "Bits of a compressed entry that carry nothing are not zero: the same content has another file.",
        fix: super::DAMAGED;
    SIZE = "archive/size", package(422), "A stored entry has two sizes.",
        fix: super::DAMAGED;
    TOO_SHORT = "archive/too-short", package(422), "The file is shorter than the smallest archive.",
        fix: super::DAMAGED;
    VERSION = "archive/version", package(422), "An entry asks for another version of zip.",
        fix: super::REPACK;
    ZIP64 = "archive/zip64", package(422), "The archive uses zip64, which a package never needs.",
        fix: super::REPACK;
}
