//! The cost of `check` as its input grows: manifests with 3 findings for each entity, and components.
//!
//! Run with `cargo bench --bench check`. Figures are of one run on one machine; `docs/benchmarks.md` has those of the
//! last run.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]

use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;
use erp_check::{CheckSubject, check_component, check_manifest};
use erp_component::{Module, why};
use erp_manifest::Manifest;
use erp_manifest::diagnostics::{Report, SourceFile};
use erp_plugin::ui::{HumanStyle, human};

fn main() {
    divan::main();
}

/// Returns a manifest with 18 lines and 3 findings for each entity.
fn manifest_text(entities: usize) -> String {
    let mut text =
        "manifest_version = 1\n\n[metadata]\nid = \"erp-big\"\nname = \"大\"\nversion = \"0.1.0\"\n".to_owned();
    for n in 0..entities {
        text.push_str(&format!(
            "\n[[permissions]]\ncode = \"item{n}.list\"\nname = \"查看\"\n\n[[permissions]]\ncode = \"item{n}.manage\"\nname = \"管理\"\n\n\
             [[schema.entities]]\nname = \"item{n}\"\ndisplay_name = \"商品 {n}\"\ntitle_field = \"nam\"\n\n\
             [[schema.entities.fields]]\nname = \"name\"\nfield_type = \"strin\"\nvisible_when = \"naem == 'x'\"\n"
        ));
    }
    text
}

fn findings(source: &Arc<SourceFile>) -> Report {
    let (manifest, mut report) = erp_manifest::parse(source);
    let manifest = manifest.unwrap();
    report.extend(check_manifest(&CheckSubject { manifest: &manifest, source, file: &|_| None }));
    report.sort();
    report
}

#[divan::bench(args = [10, 100, 1_000])]
fn manifest_with_3_findings_an_entity(bencher: Bencher, entities: usize) {
    let source = SourceFile::new("plugin.toml", manifest_text(entities));
    assert_eq!(findings(&source).diagnostics().len(), 3 * entities);
    bencher.counter(BytesCount::of_str(source.text())).bench(|| findings(&source));
}

#[divan::bench(args = [10, 100])]
fn the_same_drawn_for_people(bencher: Bencher, entities: usize) {
    let source = SourceFile::new("plugin.toml", manifest_text(entities));
    let report = findings(&source);
    let style = HumanStyle { width: 80, color: false };
    bencher.bench(|| report.diagnostics().iter().map(|finding| human(finding, style).len()).sum::<usize>());
}

/// Returns a component of about `bytes` bytes: functions that add numbers and call each other.
fn component(bytes: usize) -> Vec<u8> {
    let body = "(i32.add (i32.mul (local.get 0) (i32.const 12345)) (i32.const 6789)) local.set 0 ".repeat(20);
    let size = wat::parse_str(format!("(component (core module (func (param i32) {body})))")).unwrap().len();
    let functions: String =
        (0..bytes / (size - 20)).map(|n| format!("(func (param i32) {body} (call {} (local.get 0)))", n / 2)).collect();
    wat::parse_str(format!(
        "(component (core module {functions}) (instance $base) (export \"erp:plugin/base@1.0.0\" (instance $base)))"
    ))
    .unwrap()
}

fn minimal_manifest() -> Manifest {
    let text = "manifest_version = 1\n[metadata]\nid = \"erp-x\"\nname = \"x\"\nversion = \"0.1.0\"\n[runtime]\nworld = \"minimal-plugin\"\n[budget]\nwasm = \"32MB\"\n";
    erp_manifest::parse(&SourceFile::new("plugin.toml", text)).0.unwrap()
}

#[divan::bench(args = [50_000, 500_000, 5_000_000])]
fn component_against_its_world(bencher: Bencher, bytes: usize) {
    let (component, manifest) = (component(bytes), minimal_manifest());
    bencher.counter(BytesCount::new(component.len())).bench(|| check_component(&component, &manifest, None).report);
}

#[divan::bench(args = [50_000, 500_000, 5_000_000])]
fn call_graph_of_a_component(bencher: Bencher, bytes: usize) {
    let component = component(bytes);
    bencher
        .counter(BytesCount::new(component.len()))
        .bench(|| why(&Module::all_of(&component).unwrap(), "wasi:cli/environment@0.2.6"));
}
