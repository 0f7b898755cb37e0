//! Codes of commands that cannot do their work: `error.code` of their JSON output.

use erp_manifest::codes::codes;

codes! {
    USAGE = "usage", command(Usage), "The command line cannot be understood, or names something that does not exist.",
        why: "A flag, a value or a name is unknown, or two of them exclude each other; the message says which.",
        fix: "Run the command with `--help`; the error's own help often names the closest word.";
    BUG = "bug", command(Bug), "An error in erp-plugin itself.",
        why: "Something failed that cannot fail, whatever the input.",
        fix: "Please report the message and the command that you ran.";
    INTERRUPTED = "interrupted", command(Interrupted), "The run was interrupted.",
        why: "Ctrl-C, or a signal that ends processes. What was written before is whole.",
        fix: "Run the command again.";
    IO = "io", command(Configuration), "A file or a folder cannot be read or written.",
        why: "It is missing, is not what is expected there, or its permissions forbid it; the message has the system's reason.",
        fix: "Correct the path or the permissions, and run the command again.";
    EXISTS = "io/exists", command(Configuration), "The target file exists already.",
        why: "The command never overwrites a key.",
        fix: "Choose another name, or move the existing file away.";
    PROJECT = "project", command(Configuration), "There is no plugin project here.",
        why: "Commands look for `plugin.toml` in the current folder and in those above it.",
        fix: "Change to a project's folder, pass `-C DIR`, or make a project: `erp-plugin new my-plugin`.";
    MANIFEST = "manifest", command(Configuration), "The manifest has errors, and the command needs it.",
        why: "The findings that come with the error say what is wrong.",
        fix: "Run `erp-plugin check`, and fix what it reports.";
    FIXTURES = "fixtures", command(Configuration), "The initial data of a version cannot be read.",
        why: "A file that `fixtures` of the manifest names is missing or malformed.",
        fix: "Run `erp-plugin check` in that version's project.";
    SCENARIO = "scenario", command(Configuration), "A scenario cannot be run.",
        why: "The findings that come with the error say what is wrong with the file.",
        fix: "Fix the file; `docs/scenarios.md` has every key.";
    NO_TESTS = "no-tests", command(NoTests), "No test matches, or the project has none.",
        why: "A run that tested nothing must not look like one that passed.",
        fix: "Check the filter, or write a scenario in `tests/`.";
    COVERAGE = "coverage", command(Configuration), "The component has no lines to cover.",
        why: "Coverage needs the line tables that `erp-plugin build` keeps beside the component.",
        fix: "Run `erp-plugin build` here, and test again.";
    WORKSPACE = "workspace", command(Configuration), "The plugins of a workspace cannot be found.",
        why: "`--workspace` works on every member with a `plugin.toml`, in the order of their dependencies.",
        fix: "Check the folders, and the dependencies that the plugins declare.";
    VERSION_TOO_LOW = "version/too-low", command(Findings), "The new version is too low for what changed.",
        why: "Versions tell users what an upgrade may break: `erp-plugin migrate semver` compares tables, permissions, events, settings, pages and imports with the last version.",
        fix: "Raise the part that the error names, such as `erp-plugin version minor`; or name what it is to be compared with: `--since`.";
    BUILD = "build", command(CargoBuild), "The compiler failed.",
        why: "cargo, jco or componentize-py ended with an error; its own messages were printed.",
        fix: "Fix what the compiler reports, and build again.";
    BUILD_SETUP = "build/setup", command(Configuration), "The project cannot be built as it is set up.",
        why: "Cargo.toml, the manifest's `[build]` or a file that they name does not fit.",
        fix: "Correct what the message names.";
    LOCK_OUTDATED = "build/lock-outdated", command(Configuration), "Cargo.lock does not fit Cargo.toml.",
        why: "A version or a dependency in Cargo.toml was changed by hand. What ships is built from what is locked, so that two machines build the same.",
        fix: "Run `erp-plugin build` once without `--release`, or `cargo update --workspace`; look at the change of Cargo.lock, and build again. `erp-plugin version` raises a version in all files at once.";
    LINK = "link", command(Configuration), "The parts of the component cannot be linked.",
        why: "Something that the code imports is neither the host API nor a part of `[[link]]`.",
        fix: "Remove the import, or add the part that provides it.";
    GENERATED = "generate", command(Findings), "Generated files are not up to date.",
        why: "The manifest or the host API changed since they were generated.",
        fix: "Run `erp-plugin generate`, and commit what it writes.";
    COMPONENT = "component", command(Findings), "The component cannot be used.",
        why: "The findings that come with the error say what is wrong with it.",
        fix: "Fix the source, and run `erp-plugin build`.";
    NO_COMPONENT = "component/missing", command(Configuration), "There is no component.",
        why: "The project was not built yet, or the file that was named does not exist.",
        fix: "Run `erp-plugin build`, then the command again.";
    UNUSABLE_COMPONENT = "component/unusable", command(Configuration), "The component does not fit its manifest.",
        why: "The findings that come with the error say what differs.",
        fix: "Run `erp-plugin build`; if the findings stay, correct the manifest or the code.";
    TOOLCHAIN = "toolchain", command(Toolchain), "A tool that the build needs cannot be started.",
        why: "cargo, rustc, node or python3 is missing or does not run.",
        fix: "Run `erp-plugin doctor`.";
    NO_CARGO = "toolchain/missing-cargo", command(Toolchain), "cargo was not found.",
        why: "Plugins in Rust are compiled by the Rust toolchain.",
        fix: "Install Rust, then run `erp-plugin doctor --fix`.";
    NO_TARGET = "toolchain/missing-target", command(Toolchain), "Rust's target wasm32-wasip2 is not installed.",
        why: "Plugins are compiled to WebAssembly components.",
        fix: "Run `erp-plugin doctor --fix`.";
    TOOLCHAIN_SCRIPT = "toolchain/script", command(Toolchain), "Installing the target failed.",
        why: "A download, an archive or a permission; the output of the script has the reason.",
        fix: "Fix the reason, and run `erp-plugin doctor --fix` again: it resumes where it stopped.";
    TOOLCHAIN_OFFLINE = "toolchain/offline", command(Toolchain), "The target must be downloaded, and `--offline` forbids it.",
        why: "Nothing on this machine has it.",
        fix: "Run again without `--offline`.";
    OFFLINE = "offline", command(Network), "The command needs the network, and `--offline` forbids it.",
        why: "Something must be sent or downloaded.",
        fix: "Run again without `--offline`.";
    NEW = "new", command(Configuration), "The project cannot be written.",
        why: "The folder has files already, or a template's file cannot be rendered.",
        fix: "Choose an empty folder, or correct what the message names.";
    TEMPLATE = "template", command(Configuration), "The template cannot be used.",
        why: "Its `template.toml`, a parameter or a file is wrong, or the data does not fit.",
        fix: "`erp-plugin new my-plugin -t nosuch` lists the built-in templates; `docs/templates.md` has their parameters.";
    TEMPLATE_UNREACHABLE = "template/unreachable", command(Network), "The template cannot be fetched.",
        why: "git could not reach the repository, or the revision does not exist.",
        fix: "Check the address and the revision: `git ls-remote ADDRESS`.";
    ADD = "add", command(Configuration), "The new block does not fit the manifest.",
        why: "With the block, the manifest would have errors that it does not have now; nothing was written.",
        fix: "The findings that come with the error say what does not fit.";
    PACK = "pack", command(Findings), "The project breaks rules that a package must keep.",
        why: "The platform would refuse the package on upload.",
        fix: "Fix what the findings report, and pack again.";
    PACK_FILES = "pack/files", command(Configuration), "A file of the project cannot be packed.",
        why: "Its name, its size or its content does not belong into a package.",
        fix: "Exclude it in `.erpxignore`, or rename it.";
    NOT_REPRODUCIBLE = "pack/not-reproducible", command(Findings), "Building again gave another component.",
        why: "`--reproducible` builds a second time from the same sources and compares.",
        fix: "Run `erp-plugin build --release` and pack again; if it still differs, look for clocks and random numbers in build scripts.";
    PACKAGE = "package", command(Configuration), "There is no package to work on.",
        why: "No file was named, and `dist/` has no package of this version.",
        fix: "Run `erp-plugin pack`, or name the file.";
    PACKAGE_STALE = "package/stale", command(Configuration), "The package is not made of the present sources.",
        why: "The project was changed since it was packed. A package that was signed is not replaced: only its publisher can sign another one.",
        fix: "Run `erp-plugin pack` and `erp-plugin sign`, or name the package to publish it as it is.";
    KEY = "key", command(Trust), "The key cannot be used.",
        why: "It does not exist, its passphrase is wrong or missing, or the file is not a key.",
        fix: "`erp-plugin key list` shows the keys; `erp-plugin key new NAME` makes one.";
    TRUST = "trust", command(Trust), "Trust cannot be changed like this.",
        why: "A key was revoked, or a list of revocations or a rotation is not signed by whom it must be.",
        fix: "`erp-plugin key list` shows your keys and whom you trust.";
    TRUST_FILE = "trust/file", command(Configuration), "The trust file cannot be read.",
        why: "The findings that come with the error name the place.",
        fix: "Fix the file, or restore it from a backup.";
    TOKEN = "token", command(Configuration), "The bearer token cannot be read or kept.",
        why: "The file is missing, is not UTF-8, or may be read by other users.",
        fix: "Write the token alone into a file with mode 0600, or pass it with `--token-stdin`.";
    HOST_REFUSED = "host/refused", command(Network), "The host refused what was asked of it.",
        why: "The message has the host's own words and its code.",
        fix: "`erp-plugin explain` knows the host's codes; `erp-plugin host list` shows the states of its plugins.";
    PUBLISH_ADDRESS = "publish/address", command(Usage), "A token may not be sent to this address.",
        why: "It is not `https`, or has a user, a query or a fragment in it.",
        fix: "Use `https://HOST`; plain `http` is accepted for this machine only.";
    PUBLISH_UNAUTHORIZED = "publish/unauthorized", command(Network), "The server does not accept the token.",
        why: "There is none, or it is not one of this server's.",
        fix: "`erp-plugin login SERVER` keeps a token; or set `ERP_PLUGIN_TOKEN`, or pass `--token-file`.";
    PUBLISH_FORBIDDEN = "publish/forbidden", command(Network), "The token's user may not publish.",
        why: "Uploading needs the permission `plugin.admin`.",
        fix: "Ask an administrator of the platform for the permission.";
    PUBLISH_CONFLICT = "publish/conflict", command(Network), "The platform has this version, or a newer one.",
        why: "A version number names one content for ever.",
        fix: "Raise `version` in plugin.toml, build and pack again.";
    PUBLISH_CERTIFICATE = "publish/certificate", command(Network), "The server's certificate is not trusted.",
        why: "No authority that this machine trusts has signed it.",
        fix: "If an authority of your own signs it, pass `--ca-file FILE`.";
    PUBLISH_UNKNOWN = "publish/unknown", command(Network), "It is unknown whether the upload succeeded.",
        why: "The connection broke after the package was sent.",
        fix: "`erp-plugin publish --status` shows what the server has; publishing again is safe.";
    PUBLISH_UNAVAILABLE = "publish/unavailable", command(Network), "The server cannot take the package now.",
        why: "It is overloaded or in maintenance; it said so itself.",
        fix: "Publish again later; it is safe.";
    PUBLISH_UNREACHABLE = "publish/unreachable", command(Network), "The server cannot be reached.",
        why: "The name does not resolve, nothing listens there, or the connection timed out.",
        fix: "Check the address, and whether the server runs.";
    PUBLISH_PROTOCOL = "publish/protocol", command(Network), "The server does not answer as a platform does.",
        why: "Something else listens there, or its receipt is for another file.",
        fix: "Check the address.";
    DEV_HOST = "dev-host", command(Configuration), "The dev host cannot start.",
        why: "Its port is taken, its state folder is in use, or its database cannot be opened.",
        fix: "Use another port (`--port 0`) or another folder (`--state-dir`).";
    STATE = "state", command(Configuration), "There is no state of a dev host to work on.",
        why: "The command works on the database that a dev host left, and there is none in the folder.",
        fix: "Start one: `erp-plugin dev --no-watch`; or name its folder with `--state-dir`.";
    RUNTIME = "runtime", command(Configuration), "The component cannot be loaded.",
        why: "The engine does not take it, or compiling it was interrupted.",
        fix: "Build it again with this version.";
    CALL = "call", command(Configuration), "The call cannot be prepared.",
        why: "The database or the rows that the call should see cannot be made ready.",
        fix: "Correct what the message names.";
    NODE = "node", command(Configuration), "The node cannot be run.",
        why: "The project or its database cannot be made ready.",
        fix: "Correct what the message names.";
    RECORDING = "recording", command(Configuration), "The recording cannot be read.",
        why: "A line is not a recorded call, or is of another version.",
        fix: "Record again: `erp-plugin dev --record FILE`.";
    SEED = "seed", command(Configuration), "No rows can be made for this plugin.",
        why: "A field takes nothing that can be invented, or the plugin is not installed in the state folder.",
        fix: "Give the field options or a `validation`, or install the plugin first.";
    SQL = "sql", command(Configuration), "The database cannot be read.",
        why: "It is missing, or is not a database of this program.",
        fix: "Name the file, such as `.erp-plugin/dev/platform.sqlite`.";
    WIT = "wit", command(Configuration), "The WIT file cannot be read.",
        why: "It is not valid WIT, or has not the worlds of a host API.",
        fix: "Correct the place that the message names.";
    DEMO = "demo", command(Bug), "A step of the demo failed.",
        why: "The demo runs the complete workflow with a plugin that is known to work.",
        fix: "Please report the message.";
}
