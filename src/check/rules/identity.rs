//! The identity of the plugin, and its dependencies.

use erp_manifest::PluginId;
use erp_manifest::codes::codes;
use erp_manifest::contract::PLATFORM_VERSION;
use erp_manifest::diagnostics::Spanned;
use erp_manifest::document::codes::{DUPLICATE, INVALID_VALUE};
use semver::{Version, VersionReq};

use super::super::{CheckSubject, Findings};

codes! { pub:
    MANIFEST_VERSION = "manifest/version", finding(Error), "A manifest of a format that this tool does not know.",
        why: "A newer format may mean something else by the same keys.",
        fix: "Write `manifest_version = 1`, or update erp-plugin.";
    LEGACY_MANIFEST = "manifest/legacy", finding(Hint), "The manifest has no `manifest_version`.",
        why: "Manifests of the platform's first version have none; they load, but cannot name an ABI and capabilities safely.",
        fix: "Write `manifest_version = 1` as the first line.";
    PLATFORM_TOO_OLD = "manifest/platform-version", finding(Error), "The plugin needs another version of the platform than it is developed for.",
        why: "The platform refuses to install it; and this tool cannot show how it works there.",
        fix: "Lower `min_platform_version` or `[dependencies] platform`, update erp-plugin, or name the platform's version in `[dev] platform_version`.";
    SELF_DEPENDENCY = "manifest/self-dependency", finding(Error), "The plugin depends on itself.",
        why: "It could never be installed.",
        fix: "Take the dependency away.";
}

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    let metadata = &manifest.metadata;
    match &manifest.manifest_version {
        None => findings.add(
            LEGACY_MANIFEST,
            metadata.span.clone(),
            "this manifest has no `manifest_version`",
            "",
            Some(
                "it loads as it is. With `manifest_version = 1` as its first line and `abi = \"erp:plugin@1.0.0\"` in \
                 [runtime] the plugin gains structured errors, batches, row versions, a key-value store and capabilities"
                    .to_owned(),
            ),
        ),
        Some(version) if **version != 1 => findings.add(
            MANIFEST_VERSION,
            version.span(),
            format!("manifest_version {version} is not known to this tool"),
            "not 1",
            Some("write `manifest_version = 1`, or update erp-plugin".to_owned()),
        ),
        Some(_) => {}
    }
    version(&metadata.version, findings);
    if let Some(least) = &metadata.min_platform_version {
        version(least, findings);
    }
    let stated = manifest.dev.platform_version.as_ref();
    if let Some(stated) = stated {
        version(stated, findings);
    }
    let stated = stated.map_or(PLATFORM_VERSION, |stated| stated.as_str());
    if let Some((place, why)) = Version::parse(stated).ok().and_then(|stated| manifest.platform_refusal(&stated)) {
        let help = "where the platform that you develop for is newer: [dev] platform_version = \"…\"".to_owned();
        findings.add(
            PLATFORM_TOO_OLD,
            place.span(),
            format!("the plugin does not run on this platform: {why}"),
            "not met",
            Some(help),
        );
    }
    if let Some(license) = &metadata.license
        && let Err(error) = spdx::Expression::parse(license)
    {
        let near = spdx::imprecise_license_id(license).map(|(id, _)| format!("did you mean `{}`?", id.name));
        let usual = || "write `MIT`, `Apache-2.0`, `MIT OR Apache-2.0`, or `LicenseRef-Proprietary`".to_owned();
        findings.add(
            INVALID_VALUE,
            license.span(),
            format!("`{license}` is not an SPDX expression: {}", error.reason),
            "not SPDX",
            Some(near.unwrap_or_else(usual)),
        );
    }
    for url in [&metadata.homepage, &metadata.repository].into_iter().flatten() {
        if !url.starts_with("https://") && !url.starts_with("http://") {
            let help = "begin it with https://".to_owned();
            findings.add(INVALID_VALUE, url.span(), format!("`{url}` is not a URL"), "no URL", Some(help));
        }
    }
    dependencies(subject, findings);
}

fn version(version: &Spanned<String>, findings: &mut Findings<'_>) {
    // Parsing has already reported a missing version.
    let is_there = !version.span().is_empty() || !version.is_empty();
    if let (true, Err(error)) = (is_there, Version::parse(version)) {
        findings.add(
            INVALID_VALUE,
            version.span(),
            format!("`{version}` is not a version: {error}"),
            "not semver",
            Some("write three numbers, such as `0.1.0` or `1.2.3-beta.1`".to_owned()),
        );
    }
}

fn range(range: &Spanned<String>, findings: &mut Findings<'_>) {
    if let Err(error) = VersionReq::parse(range) {
        let help = "write a range such as `>=0.1, <1`, `^1.2` or `*`".to_owned();
        findings.add(
            INVALID_VALUE,
            range.span(),
            format!("`{range}` is not a range of versions: {error}"),
            "no range",
            Some(help),
        );
    }
}

fn dependencies(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    if let Some(platform) = &manifest.dependencies.platform {
        range(platform, findings);
    }
    let mut seen: Vec<&PluginId> = Vec::new();
    for dependency in &manifest.dependencies.plugins {
        range(&dependency.version, findings);
        if seen.contains(&&*dependency.id) {
            let message = format!("`{}` is there twice", *dependency.id);
            findings.add(DUPLICATE, dependency.id.span(), message, "again", None);
        }
        seen.push(&dependency.id);
    }
    let all =
        manifest.dependencies.plugins.iter().map(|dependency| &dependency.id).chain(&manifest.metadata.dependencies);
    for id in all.filter(|id| ***id == *manifest.metadata.id) {
        findings.add(SELF_DEPENDENCY, id.span(), "the plugin depends on itself", "its own id", None);
    }
}
