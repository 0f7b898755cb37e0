//! How the component is built.

use erp_manifest::Language;
use erp_manifest::document::codes::INVALID_VALUE;

use super::super::{CheckSubject, Findings};

/// The name of the plugin's own component in a composition.
const RESERVED: &str = "plugin";

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    findings.unique("part", manifest.link.iter().map(|link| (link.name.as_str(), link.name.span())));
    for link in &manifest.link {
        if link.name.as_str() == RESERVED {
            let message = "`plugin` is what the plugin's own component is called";
            findings.add(INVALID_VALUE, link.name.span(), message, "another name", None);
        }
        let sources = [&link.path, &link.file, &link.package].into_iter().flatten().count();
        if sources != 1 {
            let message = format!("`{}` must say where it comes from, once", *link.name);
            let help = Some("write one of `path` (a crate), `file` (a component), `package` (an .erpx)".to_owned());
            let label = if sources == 0 { "from where?" } else { "from several places" };
            findings.add(INVALID_VALUE, link.name.span(), message, label, help);
        }
    }
    if let (Some(link), false) = (manifest.link.first(), *manifest.build.language == Language::Rust) {
        let message = format!("a plugin in {} has no parts", manifest.build.language.word());
        let help = Some("only plugins in Rust are composed: take `[[link]]` away".to_owned());
        findings.add(INVALID_VALUE, link.name.span(), message, "cannot be linked", help);
    }
}
