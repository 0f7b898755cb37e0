//! The rules on a component.

use std::path::Path;
use std::sync::Arc;

use erp_component::{ComponentInfo, Module, remedy, why};
use erp_manifest::codes::{Code, codes};
use erp_manifest::contract::{self, InterfaceSet, Mismatch, World, best_target, compare, targets};
use erp_manifest::diagnostics::{Diagnostic, Edit, Fix, Report, SourceFile, Spanned};
use erp_manifest::{ByteSize, Manifest};

codes! { pub:
    WRONG_WORLD = "component/wrong-world", finding(Error), "The component is built for another world or version than the manifest names.",
        why: "The platform would look for exports that are not there.",
        fix: "Make `[runtime] abi` and `world` say what the component is built for, run `erp-plugin generate`, and build again.";
    MISSING_EXPORT = "component/missing-export", finding(Error), "The component lacks an export that its world promises.",
        why: "The platform would have nothing to call.",
        fix: "Implement the interface's `Guest` trait and pass the type to `export!`, or name a smaller world in the manifest.";
    UNKNOWN_IMPORT = "component/unknown-import", finding(Error), "The component imports what the platform does not offer.",
        why: "The platform links the host API and nothing else, so the component could not be instantiated.",
        fix: "Build with `erp-plugin build`, which links WASI away; take away crates that call other hosts.";
    WASI_IMPORT = "component/wasi-import", finding(Error), "The component imports WASI.",
        why: "The platform links the host API and nothing else: no files, no sockets, no environment. A Rust std guest drags in a dozen WASI interfaces without ever using them.",
        fix: "Build with `erp-plugin build`, which links WASI away. For a component from elsewhere the finding names the function and the crate that need it, and what to use instead.";
    WRONG_VERSION = "component/wrong-version", finding(Error), "The component was built for another version of the host API.",
        why: "Within a major version the host serves everything that is older; anything else has other functions or other types.",
        fix: "Build with `erp-plugin build`, or name the version that it was built for in `[runtime] abi`. `erp-plugin wit targets` shows what it loads on.";
    INTERFACE_MISMATCH = "component/interface-mismatch", finding(Error), "An import or export has another type than in the host API.",
        why: "The component was built against another text of the WIT: the call could not be made.",
        fix: "Run `erp-plugin generate` to get bindings for the WIT of this binary, and build again.";
    LARGER_WORLD = "component/larger-world", finding(Hint), "A smaller world would do.",
        why: "The world says what a plugin may ask of the host and what the host calls; a reviewer must judge all of it, and code that does nothing must be kept.",
        fix: "Write the smaller world into `[runtime]`, and take away what it does not export.";
    UNUSED_EXPORT = "component/unused-export", finding(Warning), "The component exports what its world does not know.",
        why: "The platform never calls it.",
        fix: "Take the export away, or name a world that knows it.";
    COMPONENT_TOO_LARGE = "component/too-large", finding(Error), "The component is larger than `[budget] wasm`.",
        why: "Large components load slowly and often hold what nobody meant to ship.",
        fix: "Look for large dependencies (`erp-plugin inspect`), or raise the budget.";
    LOCAL_PATH = "component/local-path", finding(Warning), "The component names a folder of the machine that built it.",
        why: "It tells strangers who built it and where, and no other machine builds the same bytes.",
        fix: "Build with `erp-plugin build --release`, which replaces the names of such folders.";
    STALE_COMPONENT = "component/stale", finding(Error), "The component is not made of the present sources.",
        why: "A file of the source, the manifest, the lock file, the compiler or its flags changed since it was built: what is tested and shipped would not be what is written.",
        fix: "Build it: `erp-plugin build`, and `erp-plugin build --release` for what ships. Commands that need a component do it by themselves, but for those with `--no-build`.";
    OTHER_VERSION = "component/other-version", finding(Error), "The component says of itself that it is another plugin or version than the manifest says.",
        why: "It was built before the id or the version was changed: a new number would be given to old code.",
        fix: "Run `erp-plugin build --release`, and pack again.";
    SEVERAL_MODULES = "component/several-modules", finding(Error), "The component is made of several core modules and still imports WASI.",
        why: "This version of the tool links WASI away from components with one core module, as compilers of Rust, C and Go make them.",
        fix: "Build the guest without WASI, or with a toolchain that makes one core module.";
}

/// The most functions of a path to an import that are shown.
const MAX_STEPS: usize = 4;

/// Findings that matter only for a release: a debug build may be large, and names folders of its machine.
const ONLY_FOR_WHAT_SHIPS: [Code; 3] = [COMPONENT_TOO_LARGE, LOCAL_PATH, OTHER_VERSION];

/// The result of checking a component.
#[derive(Debug)]
pub struct ComponentCheck {
    /// The content of the component; none if it could not be read.
    pub info: Option<ComponentInfo>,
    /// The findings.
    pub report: Report,
}

impl ComponentCheck {
    /// Removes the findings that matter only for a release.
    #[must_use]
    pub fn for_development(mut self) -> ComponentCheck {
        self.report.retain(|finding| !ONLY_FOR_WHAT_SHIPS.contains(&finding.code));
        self
    }
}

/// Checks a component against the world, the capabilities and the budget of its manifest. `source` is the
/// text of the manifest for labels and fixes; none if there is no text.
pub fn check_component(bytes: &[u8], manifest: &Manifest, source: Option<&Arc<SourceFile>>) -> ComponentCheck {
    let mut report = Report::new();
    let size = ByteSize(bytes.len() as u64);
    let budget = *manifest.budget.wasm;
    if size > budget {
        report.push(
            Diagnostic::new(COMPONENT_TOO_LARGE, format!("the component has {size}, its budget is {budget}"))
                .help("look at what makes it large (erp-plugin inspect), or raise `[budget] wasm`"),
        );
    }
    if let Some(path) = erp_component::local_path(bytes) {
        report.push(names_a_folder(&path));
    }
    let info = match erp_component::read(bytes) {
        Ok(info) => info,
        Err(finding) => {
            report.push(*finding);
            return ComponentCheck { info: None, report };
        }
    };
    if let Some(finding) = own_name(bytes, manifest) {
        report.push(finding);
    }
    // The rules on the manifest already report an unknown ABI.
    let host_api = contract::find(&manifest.runtime.abi);
    let name = manifest.runtime.world.as_ref().map(|world| world.as_str());
    if let Some(world) = host_api.and_then(|host_api| host_api.world(name.unwrap_or(host_api.default_world))) {
        let modules = std::cell::OnceCell::new();
        let judge = Judge { bytes, border: &info.border, manifest, source, world: &world, modules };
        for mismatch in compare(&info.border, &world.border()) {
            report.push(judge.finding(mismatch));
        }
        if !report.has_errors() {
            report.extend(judge.smaller_world());
        }
        let wasi = report.diagnostics().iter().filter(|finding| finding.code == WASI_IMPORT).count();
        let mut advised = false;
        report.retain(|finding| {
            // Only the first finding has the advice for all of them.
            if finding.code == WASI_IMPORT && !std::mem::replace(&mut advised, true) {
                let advice = "`erp-plugin build` links WASI away; a component from elsewhere must be built without it";
                let all = if wasi > 1 { format!("\n{advice} (all {wasi} imports)") } else { format!("\n{advice}") };
                finding.help = finding.help.take().map(|help| help + &all);
            }
            true
        });
    }
    report.extend(super::capabilities::check(&info.border, manifest, source));
    ComponentCheck { info: Some(info), report }
}

/// Checks that the name and version that `build` wrote into a component are those of its manifest. Components of other
/// tools are not checked.
fn own_name(bytes: &[u8], manifest: &Manifest) -> Option<Diagnostic> {
    erp_component::producers(bytes).iter().find(|producer| producer.name == "erp-plugin")?;
    let said = erp_component::description(bytes);
    let (id, version) = (manifest.metadata.id.as_str(), manifest.metadata.version.as_str());
    if said.name.as_deref()? == id && said.version.as_deref()? == version {
        return None;
    }
    let own = [said.name, said.version].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let message = format!("the component says of itself that it is {own}, and the manifest says {id} {version}");
    Some(Diagnostic::new(OTHER_VERSION, message).help("erp-plugin build --release"))
}

/// Finds a path into one of these folders, if no other path was found: the caller that built a component knows more
/// folders than the rules.
pub fn check_folders(report: &mut Report, bytes: &[u8], folders: &[&Path]) {
    let is_found = report.diagnostics().iter().any(|finding| finding.code == LOCAL_PATH);
    if let Some(path) = erp_component::path_into(bytes, folders).filter(|_| !is_found) {
        report.push(names_a_folder(&path));
    }
}

fn names_a_folder(path: &str) -> Diagnostic {
    let message = format!("the component names a folder of the machine that built it: {path}");
    Diagnostic::new(LOCAL_PATH, message).help(
        "`erp-plugin build --release` replaces such names; one that stays is written into the code, by `env!` or a build script",
    )
}

struct Judge<'a> {
    bytes: &'a [u8],
    border: &'a InterfaceSet,
    manifest: &'a Manifest,
    source: Option<&'a Arc<SourceFile>>,
    world: &'a World,
    /// The core modules, read at the first use: only imports of WASI need them.
    modules: std::cell::OnceCell<Vec<Module>>,
}

impl Judge<'_> {
    fn finding(&self, mismatch: Mismatch) -> Diagnostic {
        let place = format!("world `{}` of {}", self.world.name, self.world.host_api.abi);
        match mismatch {
            Mismatch::OtherWorld { exports } => {
                let finding = Diagnostic::new(WRONG_WORLD, format!("the component is not built for {place}")).help(
                    format!("it exports {}; the manifest's [runtime] abi and world must say so", exports.join(", ")),
                );
                self.at_the_world(finding)
            }
            Mismatch::UnknownImport { import } if import.starts_with("wasi:") => self.wasi(&import, &place),
            Mismatch::UnknownImport { import } => {
                let help = if import.starts_with("erp:") {
                    "name a world or version that offers it in [runtime], or do not call it"
                } else {
                    "take away the crate that calls this host"
                };
                Diagnostic::new(UNKNOWN_IMPORT, format!("`{import}` is not offered by {place}")).help(help)
            }
            Mismatch::OtherVersion { import, offered } => {
                let finding =
                    Diagnostic::new(WRONG_VERSION, format!("the component was built for `{import}`")).help(format!(
                        "{place} has `{offered}`: build with `erp-plugin build`, which takes the WIT of this binary"
                    ));
                self.at_the_world(finding)
            }
            Mismatch::UnknownFunction { import, function } => {
                let message = format!("the component calls `{function}`, which `{import}` does not have");
                Diagnostic::new(INTERFACE_MISMATCH, message)
                    .help("run `erp-plugin generate` to get the bindings of this binary, and build again")
            }
            Mismatch::MissingExport { export } => {
                let message = format!("`{export}` is missing, which {place} promises");
                Diagnostic::new(MISSING_EXPORT, message)
                    .help("implement its `Guest` trait, or name a smaller world in [runtime]")
            }
            Mismatch::MissingFunction { export, function } => {
                let message = format!("`{export}` lacks `{function}`, which {place} promises");
                Diagnostic::new(MISSING_EXPORT, message)
                    .help("run `erp-plugin generate` to get the bindings of this binary, and build again")
            }
            Mismatch::OtherType { interface, function, difference } => {
                let message = format!("`{function}` of `{interface}` has another type than in {place}");
                let help = format!(
                    "in {}:\n  the component has  {}\n  the host API has   {}\nrun `erp-plugin generate` and build again",
                    difference.place, difference.found, difference.offered
                );
                Diagnostic::new(INTERFACE_MISMATCH, message).help(help)
            }
            Mismatch::UnusedExport { export } => {
                Diagnostic::new(UNUSED_EXPORT, format!("`{export}` is not known to {place}: nobody calls it"))
            }
        }
    }

    /// Finds a smaller world, without the exports that the manifest does not use.
    fn smaller_world(&self) -> Report {
        let mut report = Report::new();
        let (manifest, host_api) = (self.manifest, self.world.host_api);
        let is_idle = |export: &str| match export.split(['/', '@']).nth(1) {
            Some("event-handler") => manifest.events.subscribe.is_empty(),
            Some("actions") => {
                manifest.ui.actions.is_empty()
                    && manifest.migrations.iter().all(|migration| migration.handler.is_none())
            }
            Some("nodes") => manifest.nodes.is_empty(),
            _ => false,
        };
        let own = self.world.border();
        let idle: Vec<String> = own.export_names().into_iter().filter(|export| is_idle(export)).collect();
        let needed = own.export_names().into_iter().filter(|export| !is_idle(export));
        // Worlds for entities include tenant hooks; from outside it is not visible whether the hooks do anything.
        let needed: Vec<String> = needed.filter(|export| !export.contains("/tenant-hooks@")).collect();
        let asked: Vec<String> = self.border.import_names();
        let fitting = host_api.worlds.iter().filter_map(|name| Some((*name, host_api.world(name)?.border())));
        let fitting = fitting.filter(|(_, border)| {
            let (imports, exports) = (border.import_names(), border.export_names());
            // An interface that only declares types is not a capability.
            let is_offered = |asked: &String| asked.contains("/types@") || imports.contains(asked);
            let adds_nothing = exports.iter().all(|export| own.exports.iter().any(|known| known.name == *export));
            adds_nothing && needed.iter().all(|export| exports.contains(export)) && asked.iter().all(is_offered)
        });
        let smallest = fitting.min_by_key(|(_, border)| (border.exports.len(), border.imports.len()));
        if let Some((name, border)) = smallest.filter(|_| !idle.is_empty() && !manifest.is_legacy()) {
            let short = |export: &String| export.split(['/', '@']).nth(1).unwrap_or(export).to_owned();
            let exports = border.export_names();
            let unused: Vec<String> = idle.iter().filter(|export| !exports.contains(export)).map(short).collect();
            if unused.is_empty() {
                return report;
            }
            let message = format!("`{}` would do: nothing calls {}", name, unused.join(", "));
            let hooks = own.export_names().iter().any(|export| export.contains("/tenant-hooks@"))
                && border.export_names().iter().all(|export| !export.contains("/tenant-hooks@"));
            let hooks =
                if hooks { "; it has no tenant hooks, so keep the larger one where yours do something" } else { "" };
            let mut finding = Diagnostic::new(LARGER_WORLD, message)
                .help(format!("write `world = \"{name}\"` into [runtime]{hooks}"));
            let place = manifest.runtime.world.as_ref().map_or_else(|| manifest.runtime.span.clone(), Spanned::span);
            if let Some(source) = self.source.filter(|_| !place.is_empty()) {
                finding = finding.in_source(source).at(place, "larger than needed");
            }
            report.push(finding);
        }
        report
    }

    /// Labels the world in the manifest, and adds a fix with the world that the component fits.
    fn at_the_world(&self, finding: Diagnostic) -> Diagnostic {
        let Some(source) = self.source else { return finding };
        let runtime = &self.manifest.runtime;
        let world = runtime.world.as_ref().map(Spanned::span).filter(|span| !span.is_empty());
        let place = world.clone().unwrap_or_else(|| runtime.abi.span());
        let finding = if place.is_empty() { finding } else { finding.in_source(source).at(place, "named here") };
        let fitting = targets(self.border);
        let Some(target) = best_target(&fitting) else { return finding };
        let abi = Some(runtime.abi.span()).filter(|span| !span.is_empty());
        let other_abi = target.host_api.abi != runtime.abi.as_str();
        let title = format!("write abi = \"{}\", world = \"{}\"", target.host_api.abi, target.world);
        let mut edits = Vec::new();
        match (&abi, other_abi) {
            (Some(abi), true) => edits.push(Edit { span: abi.clone(), text: format!("\"{}\"", target.host_api.abi) }),
            (None, true) => return finding,
            (_, false) => {}
        }
        match (world, abi) {
            (Some(world), _) => edits.push(Edit { span: world, text: format!("\"{}\"", target.world) }),
            (None, Some(abi)) => {
                let line = format!("world = \"{}\"", target.world);
                let Some(fix) = Fix::insert_line_after("", source, &abi, &line) else { return finding };
                edits.extend(fix.edits);
            }
            (None, None) => return finding,
        }
        finding.in_source(source).fixed_by(Fix { title, edits })
    }

    /// Creates the finding for an import of WASI: what needs it, and what to use instead.
    fn wasi(&self, import: &str, place: &str) -> Diagnostic {
        let modules = self.modules.get_or_init(|| Module::all_of(self.bytes).unwrap_or_default());
        let mut help = Vec::new();
        if let Some(why) = why(modules, import) {
            let likely = if why.is_guess { "probably needed by" } else { "needed by" };
            if why.path.is_empty() {
                help.push(format!("`{}` is called; which function calls it was stripped away", why.function));
            } else {
                let shown: Vec<&str> = why.path.iter().rev().take(MAX_STEPS).map(String::as_str).collect();
                help.push(format!("{likely} {}", shown.join("\n  ← ")));
            }
            if let Some(name) = &why.crate_name {
                help.push(format!("in the crate `{name}`"));
            }
        }
        help.push(format!("in Rust it comes from {}", remedy(import)));
        Diagnostic::new(WASI_IMPORT, format!("`{import}` is not offered by {place}")).help(help.join("\n"))
    }
}
