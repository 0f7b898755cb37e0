//! `erp-plugin inspect`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use erp_component::{ComponentInfo, Module, ModuleFunction, Producer};
use erp_manifest::contract::{InterfaceSet, best_target, targets};
use erp_manifest::digest::sha256_hex;
use erp_manifest::exit_code::ExitCode;
use erp_manifest::{ByteSize, Capabilities};
use erp_package::archive::{Package, PackageProblem};
use erp_package::strict_zip::{ArchiveEntry, Limits, structure};
use erp_package::verification::{build_facts, libraries};
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::package_file::{archive_limits, open_package, read_bounded};
use super::verify::ProblemJson;
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::ui::Table;

/// Maximum number of functions, and of crates, in a list.
const LISTED: usize = 12;

/// Show what is in a component or package: imports, exports, sizes, files, signatures
///
/// Nothing is judged here: `check` and `verify` do that.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A .wasm or .erpx file; dist/<id>.wasm if it is absent
    file: Option<PathBuf>,
    /// Print the component's border as WIT, and nothing else
    #[arg(long)]
    wit: bool,
    /// Judge the structure of any zip as that of a package, and look at nothing inside
    #[arg(long, conflicts_with = "wit")]
    structure_only: bool,
    /// A bound of the reader, such as `archive_bytes=128MB`; several times for several
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
}

/// The structure of a zip.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StructureResult {
    /// True where nothing is wrong.
    ok: bool,
    /// The file.
    file: String,
    /// Its size in bytes.
    bytes: u64,
    /// SHA-256 of the file.
    sha256: String,
    /// Its entries, in their order, as far as they could be read.
    entries: Vec<EntryJson>,
    /// What is wrong.
    problems: Vec<ProblemJson>,
}

/// An entry of a zip.
#[derive(Debug, Serialize, JsonSchema)]
struct EntryJson {
    /// Its name.
    name: String,
    /// `stored` or `deflated`.
    method: &'static str,
    /// Its size in bytes, as it promises.
    bytes: u64,
    /// Its size in the archive.
    stored_bytes: u64,
    /// CRC-32, as it promises; 8 hexadecimal digits.
    crc32: String,
}

/// What is in a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct InspectResult {
    ok: bool,
    /// The file.
    file: String,
    /// Its size in bytes.
    bytes: u64,
    /// SHA-256 of the file.
    sha256: String,
    /// What the package is; none for a component.
    package: Option<PackageJson>,
    /// The component.
    component: ComponentJson,
}

/// What a package is. Nothing of it was verified.
#[derive(Debug, Serialize, JsonSchema)]
struct PackageJson {
    /// The plugin's id.
    id: String,
    /// The plugin's version.
    version: String,
    /// The host API.
    abi: String,
    /// What packed it.
    tool: String,
    /// SHA-256 of the rules that it was checked against.
    rule_set: String,
    /// SHA-256 of the signed statement.
    content_id: String,
    /// SHA-256 of what the manifest asks for: two versions with the same need no new consent.
    capabilities_sha256: String,
    /// What its bill of materials lists, as `name version (licence)`; none where it has no bill.
    libraries: Option<Vec<String>>,
    /// What it says of its build; none where it says nothing.
    build: Option<BuildJson>,
    /// Ids of the keys that say that they signed it.
    signed_by: Vec<String>,
    /// What the manifest grants.
    capabilities: Vec<String>,
    /// Its files.
    files: Vec<FileJson>,
}

/// How a component was built, as its builder says.
#[derive(Debug, Serialize, JsonSchema)]
struct BuildJson {
    /// Where the source is.
    source: Option<String>,
    /// The revision of the source.
    revision: Option<String>,
    /// The compiler.
    compiler: Option<String>,
}

/// A file or a part with its size.
#[derive(Debug, Serialize, JsonSchema)]
struct FileJson {
    /// Its name.
    name: String,
    /// Its size in bytes.
    bytes: u64,
}

/// What is in a component.
#[derive(Debug, Serialize, JsonSchema)]
struct ComponentJson {
    /// Its size in bytes.
    bytes: u64,
    /// What it asks for: interfaces with the functions that it calls.
    imports: BTreeMap<String, Vec<String>>,
    /// What it offers.
    exports: BTreeMap<String, Vec<String>>,
    /// What to write into `[runtime]`: `abi world`; none where no version of this binary loads it.
    loads_on: Option<String>,
    /// What it says of itself.
    description: DescriptionJson,
    /// Languages and tools that made it.
    producers: Vec<Producer>,
    /// Its core modules.
    modules: Vec<ModuleJson>,
}

/// What a component says of itself.
#[derive(Debug, Serialize, JsonSchema)]
struct DescriptionJson {
    /// The plugin's id.
    name: Option<String>,
    /// The plugin's version.
    version: Option<String>,
    /// Its licence, an SPDX expression.
    license: Option<String>,
    /// The revision of its source.
    revision: Option<String>,
    /// Where its source is.
    source: Option<String>,
}

/// A core module.
#[derive(Debug, Serialize, JsonSchema)]
struct ModuleJson {
    /// Its size in bytes.
    bytes: u64,
    /// Its sections.
    sections: Vec<FileJson>,
    /// Functions with a body.
    functions: usize,
    /// True where the compiler's names are there.
    has_names: bool,
    /// The largest functions.
    largest: Vec<FileJson>,
    /// Bytes of code by the crate that it comes from, the largest first; empty where names were stripped.
    crates: Vec<FileJson>,
}

pub(super) fn run(context: &Context, args: &InspectArgs) -> CommandResult {
    let file = match &args.file {
        Some(file) => context.path(file),
        None => {
            let open = context.open_project()?;
            open.project.built_component_file(&open.manifest)
        }
    };
    let limits = archive_limits(&args.limit)?;
    let bytes = read_bounded(context, &file, &limits)?;
    if args.structure_only {
        return Ok(structure_only(context, &file, &bytes, &limits));
    }
    let package = if is_package(&bytes) { Some(open_package(&bytes, &limits)?) } else { None };
    let component = package.as_ref().map_or(bytes.as_slice(), Package::component);
    let info = erp_component::read(component).map_err(|finding| CommandError::from_finding(*finding))?;
    if args.wit {
        context.ui.raw_result(&erp_component::wit_text(&info));
        return Ok(ExitCode::Ok);
    }
    let result = InspectResult {
        ok: true,
        file: context.shown(&file),
        bytes: bytes.len() as u64,
        sha256: sha256_hex(&bytes),
        package: package.as_ref().map(package_json),
        component: component_json(component, &info)?,
    };
    context.ui.result(&result, || shown(&result));
    Ok(ExitCode::Ok)
}

/// The component of a package, or the file itself.
pub(super) fn component_of(bytes: &[u8]) -> Result<Vec<u8>, CommandError> {
    let limits = Limits::default();
    if is_package(bytes) { Ok(open_package(bytes, &limits)?.component().to_vec()) } else { Ok(bytes.to_vec()) }
}

fn library(library: &erp_package::verification::Library) -> String {
    let license = library.license.as_deref().unwrap_or("no licence");
    format!("{} {} ({license})", library.name, library.version)
}

fn structure_only(context: &Context, file: &Path, bytes: &[u8], limits: &Limits) -> ExitCode {
    let found = structure(bytes, limits);
    let problems: Vec<PackageProblem> = found.problems.into_iter().map(PackageProblem::from).collect();
    let entry = |header: &erp_package::strict_zip::Header| EntryJson {
        name: header.name.clone(),
        method: if header.method == 0 { "stored" } else { "deflated" },
        bytes: u64::from(header.size),
        stored_bytes: header.data.len() as u64,
        crc32: format!("{:08x}", header.crc),
    };
    let result = StructureResult {
        ok: problems.is_empty(),
        file: context.shown(file),
        bytes: bytes.len() as u64,
        sha256: sha256_hex(bytes),
        entries: found.headers.iter().map(entry).collect(),
        problems: problems.iter().map(ProblemJson::from).collect(),
    };
    context.ui.result(&result, || {
        let mut table = Table::new();
        for entry in &result.entries {
            table.row([entry.method, &entry.name, &ByteSize(entry.bytes).to_string()]);
        }
        for problem in &problems {
            table.row(["no", &problem.message, problem.code.name()]);
        }
        if problems.is_empty() {
            table.row(["ok", "the one form that packages have", ""]);
        }
        table.render()
    });
    if result.ok { ExitCode::Ok } else { ExitCode::Trust }
}

fn is_package(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK")
}

fn package_json(package: &Package) -> PackageJson {
    let predicate = &package.statement.predicate;
    let file = |entry: &ArchiveEntry| FileJson { name: entry.name.clone(), bytes: entry.bytes.len() as u64 };
    PackageJson {
        id: predicate.id.clone(),
        version: predicate.version.clone(),
        abi: predicate.abi.clone(),
        tool: predicate.tool.clone(),
        rule_set: predicate.rule_set.clone(),
        content_id: package.content_id.clone(),
        capabilities_sha256: predicate.capabilities_sha256.clone(),
        libraries: libraries(package).map(|libraries| libraries.iter().map(library).collect()),
        build: build_facts(package).map(|facts| BuildJson {
            source: facts.source,
            revision: facts.revision,
            compiler: facts.compiler,
        }),
        signed_by: package.envelope.signatures.iter().map(|signature| signature.key_id.to_string()).collect(),
        capabilities: granted(&package.manifest.capabilities),
        files: package.entries.iter().map(file).collect(),
    }
}

/// The capabilities that the manifest grants, one per line.
fn granted(capabilities: &Capabilities) -> Vec<String> {
    let list = |word: &str, items: &[erp_manifest::diagnostics::Spanned<String>]| {
        items.iter().map(|item| format!("{word} {}", **item)).collect::<Vec<_>>()
    };
    let mut lines = list("reads", &capabilities.read_entities);
    lines.extend(list("publishes", &capabilities.publish));
    lines.extend(list("configuration", &capabilities.config));
    lines.extend(list("secret", &capabilities.secrets));
    lines.extend(list("calls", &capabilities.http));
    for (granted, what) in [
        (*capabilities.kv, "key-value store"),
        (*capabilities.blob, "files"),
        (*capabilities.memory, "memory of conversations"),
    ] {
        lines.extend(granted.then(|| what.to_owned()));
    }
    lines
}

fn component_json(bytes: &[u8], info: &ComponentInfo) -> Result<ComponentJson, CommandError> {
    let unreadable = |error: String| CommandError::new(codes::COMPONENT, error);
    let modules = Module::all_of(bytes).map_err(|error| unreadable(error.to_string()))?;
    let interfaces = |interfaces: &[erp_manifest::contract::Interface]| {
        let names = |interface: &erp_manifest::contract::Interface| interface.functions.keys().cloned().collect();
        interfaces.iter().map(|interface| (interface.name.clone(), names(interface))).collect()
    };
    let InterfaceSet { imports, exports } = &info.border;
    let (fitting, description) = (targets(&info.border), erp_component::description(bytes));
    Ok(ComponentJson {
        bytes: bytes.len() as u64,
        imports: interfaces(imports),
        exports: interfaces(exports),
        loads_on: best_target(&fitting).map(|target| format!("{} {}", target.host_api.abi, target.world)),
        description: DescriptionJson {
            name: description.name,
            version: description.version,
            license: description.license,
            revision: description.revision,
            source: description.source,
        },
        producers: erp_component::producers(bytes),
        modules: modules.iter().map(module_json).collect(),
    })
}

fn module_json(module: &Module) -> ModuleJson {
    let part = |(name, bytes): (String, usize)| FileJson { name, bytes: bytes as u64 };
    let own: Vec<(usize, &ModuleFunction)> =
        module.functions.iter().enumerate().filter(|(_, function)| function.import.is_none()).collect();
    let mut largest = own.clone();
    largest.sort_by_key(|(index, function)| (std::cmp::Reverse(function.size), *index));
    let name =
        |index: usize, function: &ModuleFunction| function.name.clone().unwrap_or_else(|| format!("function {index}"));
    let has_names = module.has_names();
    let mut crates: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, function) in own.iter().filter(|_| has_names) {
        *crates.entry(function.crate_name().unwrap_or("(no crate)")).or_default() += function.size;
    }
    let mut crates: Vec<(String, usize)> = crates.into_iter().map(|(name, size)| (name.to_owned(), size)).collect();
    crates.sort_by_key(|(name, size)| (std::cmp::Reverse(*size), name.clone()));
    ModuleJson {
        bytes: module.size as u64,
        sections: module.sections.iter().cloned().map(part).collect(),
        functions: own.len(),
        has_names,
        largest: largest
            .iter()
            .take(LISTED)
            .map(|(index, function)| part((name(*index, function), function.size)))
            .collect(),
        crates: crates.into_iter().take(LISTED).map(part).collect(),
    }
}

fn shown(result: &InspectResult) -> String {
    let mut text = format!("{}  {}\nsha256  {}\n", result.file, ByteSize(result.bytes), result.sha256);
    if let Some(package) = &result.package {
        text.push_str(&format!("\n{} {}  for {}  by {}\n", package.id, package.version, package.abi, package.tool));
        text.push_str(&section("files", &package.files));
        text.push_str(&lines("granted", &package.capabilities, "nothing beside its own tables"));
        if let Some(libraries) = &package.libraries {
            text.push_str(&lines("libraries", libraries, "none beside its own code"));
        }
        if let Some(build) = &package.build {
            let of = |what: &str, value: &Option<String>| value.as_ref().map(|value| format!("{what}  {value}"));
            let facts = [of("source", &build.source), of("revision", &build.revision), of("compiler", &build.compiler)];
            text.push_str(&lines(
                "built, as it says itself",
                &facts.into_iter().flatten().collect::<Vec<_>>(),
                "by hand",
            ));
        }
        text.push_str(&lines("signatures (not verified here)", &package.signed_by, "nobody has signed it"));
    }
    let component = &result.component;
    if result.package.is_some() {
        text.push_str(&format!("\ncomponent  {}\n", ByteSize(component.bytes)));
    }
    text.push_str(&border("imports", &component.imports));
    text.push_str(&border("exports", &component.exports));
    let loads_on = component.loads_on.as_deref().unwrap_or("no version that this binary knows");
    text.push_str(&format!("\nloads on  {loads_on}\n"));
    let description = &component.description;
    let words =
        [&description.name, &description.version, &description.license, &description.revision, &description.source];
    let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
    if !words.is_empty() {
        text.push_str(&format!("\nsays of itself  {}\n", words.join("  ")));
    }
    let made: Vec<String> =
        component.producers.iter().map(|one| format!("{} {}", one.name, one.version).trim().to_owned()).collect();
    text.push_str(&lines("made by", &made, "the component does not say"));
    for (index, module) in component.modules.iter().enumerate() {
        let title = format!("core module {}  {}  {} functions", index + 1, ByteSize(module.bytes), module.functions);
        text.push_str(&section(&title, &module.sections));
        if module.has_names {
            text.push_str(&section("  code by crate", &module.crates));
            text.push_str(&section("  largest functions", &module.largest));
        } else if index == 0 {
            text.push_str("  names were stripped: a build without --release shows crates and functions\n");
        }
    }
    text
}

fn border(title: &str, interfaces: &BTreeMap<String, Vec<String>>) -> String {
    let mut table = Table::new();
    for (name, functions) in interfaces {
        table.row([format!("  {name}"), functions.join(" ")]);
    }
    format!("\n{title}\n{}", table.render())
}

fn section(title: &str, parts: &[FileJson]) -> String {
    let mut table = Table::new();
    for part in parts {
        table.row([format!("  {:>8}", ByteSize(part.bytes).to_string()), part.name.clone()]);
    }
    format!("\n{title}\n{}", table.render())
}

fn lines(title: &str, lines: &[String], none: &str) -> String {
    if lines.is_empty() {
        return format!("\n{title}\n  {none}\n");
    }
    format!("\n{title}\n{}", lines.iter().map(|line| format!("  {line}\n")).collect::<String>())
}
