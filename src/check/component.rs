//! The rules on a component.

use std::sync::Arc;

use crate::component::{self, ComponentInfo, Module, remedy, why};
use crate::contract::{self, Border, Mismatch, World, best_target, compare, targets};
use crate::diagnostics::{Code, Diagnostic, Edit, Fix, Report, SourceFile, Spanned, codes};
use crate::manifest::{ByteSize, Manifest};

/// How many functions of a way to an import are shown.
const MAX_STEPS: usize = 4;

/// Findings that matter for what ships: a debug build is as large as it is, and names the places of its machine.
const ONLY_FOR_WHAT_SHIPS: [Code; 2] = [codes::COMPONENT_TOO_LARGE, codes::LOCAL_PATH];

/// What a look at a component gave.
#[derive(Debug)]
pub struct CheckedComponent {
    /// What is in it; none where it could not be read.
    pub info: Option<ComponentInfo>,
    /// What is wrong with it.
    pub report: Report,
}

impl CheckedComponent {
    /// The same without what matters for a component that ships.
    #[must_use]
    pub fn for_development(mut self) -> CheckedComponent {
        self.report.retain(|finding| !ONLY_FOR_WHAT_SHIPS.contains(&finding.code));
        self
    }
}

/// Holds a component against the world, the capabilities and the budget of its manifest. `source` is the
/// manifest's text, where there is one to point into.
pub fn check_component(bytes: &[u8], manifest: &Manifest, source: Option<&Arc<SourceFile>>) -> CheckedComponent {
    let mut report = Report::new();
    let size = ByteSize(bytes.len() as u64);
    let budget = *manifest.budget.wasm;
    if size > budget {
        report.push(
            Diagnostic::new(codes::COMPONENT_TOO_LARGE, format!("the component has {size}, its budget is {budget}"))
                .help("build with --release (erp-plugin inspect shows what makes it large), or raise `[budget] wasm`"),
        );
    }
    if let Some(path) = component::local_path(bytes) {
        let message = format!("the component names a folder of the machine that built it: {path}");
        report.push(Diagnostic::new(codes::LOCAL_PATH, message).help("build it with `erp-plugin build --release`"));
    }
    let info = match component::read(bytes) {
        Ok(info) => info,
        Err(finding) => {
            report.push(*finding);
            return CheckedComponent { info: None, report };
        }
    };
    // An unknown ABI is a finding of the manifest already.
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
        let wasi = report.diagnostics().iter().filter(|finding| finding.code == codes::WASI_IMPORT).count();
        let mut advised = false;
        report.retain(|finding| {
            // What to do about all of them is said once.
            if finding.code == codes::WASI_IMPORT && !std::mem::replace(&mut advised, true) {
                let advice = "`erp-plugin build` links WASI away; a component from elsewhere must be built without it";
                let all = if wasi > 1 { format!("\n{advice} (all {wasi} imports)") } else { format!("\n{advice}") };
                finding.help = finding.help.take().map(|help| help + &all);
            }
            true
        });
    }
    report.extend(super::capabilities::check(&info.border, manifest, source));
    CheckedComponent { info: Some(info), report }
}

struct Judge<'a> {
    bytes: &'a [u8],
    border: &'a Border,
    manifest: &'a Manifest,
    source: Option<&'a Arc<SourceFile>>,
    world: &'a World,
    /// The core modules, read once: only imports of WASI need them.
    modules: std::cell::OnceCell<Vec<Module>>,
}

impl Judge<'_> {
    fn finding(&self, mismatch: Mismatch) -> Diagnostic {
        let place = format!("world `{}` of {}", self.world.name, self.world.host_api.abi);
        match mismatch {
            Mismatch::OtherWorld { exports } => {
                let finding = Diagnostic::new(codes::WRONG_WORLD, format!("the component is not built for {place}"))
                    .help(format!(
                        "it exports {}; the manifest's [runtime] abi and world must say so",
                        exports.join(", ")
                    ));
                self.at_the_world(finding)
            }
            Mismatch::UnknownImport { import } if import.starts_with("wasi:") => self.wasi(&import, &place),
            Mismatch::UnknownImport { import } => {
                let help = if import.starts_with("erp:") {
                    "name a world or version that offers it in [runtime], or do not call it"
                } else {
                    "take away the crate that calls this host"
                };
                Diagnostic::new(codes::UNKNOWN_IMPORT, format!("`{import}` is not offered by {place}")).help(help)
            }
            Mismatch::OtherVersion { import, offered } => {
                let finding = Diagnostic::new(codes::WRONG_VERSION, format!("the component was built for `{import}`"))
                    .help(format!(
                        "{place} has `{offered}`: build with `erp-plugin build`, which takes the WIT of this binary"
                    ));
                self.at_the_world(finding)
            }
            Mismatch::UnknownFunction { import, function } => {
                let message = format!("the component calls `{function}`, which `{import}` does not have");
                Diagnostic::new(codes::INTERFACE_MISMATCH, message)
                    .help("run `erp-plugin generate` to get the bindings of this binary, and build again")
            }
            Mismatch::MissingExport { export } => {
                let message = format!("`{export}` is missing, which {place} promises");
                Diagnostic::new(codes::MISSING_EXPORT, message)
                    .help("implement its `Guest` trait, or name a smaller world in [runtime]")
            }
            Mismatch::MissingFunction { export, function } => {
                let message = format!("`{export}` lacks `{function}`, which {place} promises");
                Diagnostic::new(codes::MISSING_EXPORT, message)
                    .help("run `erp-plugin generate` to get the bindings of this binary, and build again")
            }
            Mismatch::OtherType { interface, function, difference } => {
                let message = format!("`{function}` of `{interface}` has another type than in {place}");
                let help = format!(
                    "in {}:\n  the component has  {}\n  the host API has   {}\nrun `erp-plugin generate` and build again",
                    difference.place, difference.found, difference.offered
                );
                Diagnostic::new(codes::INTERFACE_MISMATCH, message).help(help)
            }
            Mismatch::UnusedExport { export } => {
                Diagnostic::new(codes::UNUSED_EXPORT, format!("`{export}` is not known to {place}: nobody calls it"))
            }
        }
    }

    /// Finds a world without exports that the manifest gives nothing to do.
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
        // Hooks for tenants come with what makes entities work; nobody can see from outside whether they do anything.
        let needed: Vec<String> = needed.filter(|export| !export.contains("/tenant-hooks@")).collect();
        let asked: Vec<String> = self.border.import_names();
        let fitting = host_api.worlds.iter().filter_map(|name| Some((*name, host_api.world(name)?.border())));
        let fitting = fitting.filter(|(_, border)| {
            let (imports, exports) = (border.import_names(), border.export_names());
            // What declares types alone is no capability.
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
            let mut finding = Diagnostic::new(codes::LARGER_WORLD, message)
                .help(format!("write `world = \"{name}\"` into [runtime]{hooks}"));
            let place = manifest.runtime.world.as_ref().map_or_else(|| manifest.runtime.span.clone(), Spanned::span);
            if let Some(source) = self.source.filter(|_| !place.is_empty()) {
                finding = finding.in_source(source).at(place, "larger than needed");
            }
            report.push(finding);
        }
        report
    }

    /// Points at the world in the manifest, and offers the one that the component fits.
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

    /// An import of WASI: what needs it, and what to do instead.
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
        Diagnostic::new(codes::WASI_IMPORT, format!("`{import}` is not offered by {place}")).help(help.join("\n"))
    }
}
