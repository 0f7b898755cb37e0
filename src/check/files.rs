//! Codes of findings about the files of a project; the code that reads the disk raises them.

use erp_manifest::codes::codes;

codes! { pub:
    UNPACKABLE_FILE = "project/unpackable-file", finding(Error), "A file of the project cannot be packed.",
        why: "A package is unpacked on other machines: names that do not mean the same everywhere, links and devices stay out of it.",
        fix: "Rename the file, put the file itself there instead of the link, or name it in `.erpxignore`.";
    SECRET_FILE = "project/secret-file", finding(Warning), "A file that would be packed looks like a secret.",
        why: "Whoever gets the package can read it. `pack` refuses such a file until somebody says that it is none.",
        fix: "Name the file in `.erpxignore`, or pass `--allow-secret NAME` to `pack` where it is no secret.";
}
