//! Labels in the language of a request.

use std::collections::BTreeMap;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, document};

/// The translations of a plugin: language → key → text. A missing translation falls back to the manifest's text.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels(BTreeMap<String, BTreeMap<String, String>>);

impl Labels {
    /// Reads the languages that a manifest names. `file` returns the content of a file of the package.
    pub(super) fn read(manifest: &Manifest, file: impl Fn(&str) -> Option<Vec<u8>>) -> Labels {
        let mut languages = BTreeMap::new();
        for locale in &manifest.i18n.locales {
            let name = format!("{}/{}.toml", manifest.i18n.dir, **locale);
            let Some(bytes) = file(&name) else { continue };
            let (node, _) = document::parse(&SourceFile::new(name, String::from_utf8_lossy(&bytes)));
            let texts =
                node.entries().iter().filter_map(|entry| Some((entry.key.clone(), entry.node.as_str()?.to_owned())));
            languages.insert(locale.to_string(), texts.collect());
        }
        Labels(languages)
    }

    /// Reads the languages that a manifest names from files in memory.
    pub(super) fn of_files(manifest: &Manifest, files: &BTreeMap<String, Vec<u8>>) -> Labels {
        Labels::read(manifest, |name| files.get(name).cloned())
    }

    /// Returns the text of a key in the first available language of `accept_language` (RFC 9110). Languages
    /// are tried in the order of the header, without weights. `own` is the manifest's language and text.
    pub(super) fn text<'l>(&'l self, accept_language: Option<&str>, key: &str, own: (&str, &'l str)) -> &'l str {
        for range in accept_language.unwrap_or_default().split(',') {
            let wanted = range.split(';').next().unwrap_or_default().trim();
            let speaks = |locale: &str| {
                let language = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
                !wanted.is_empty() && (locale.eq_ignore_ascii_case(wanted) || language(locale) == language(wanted))
            };
            if speaks(own.0) {
                break;
            }
            let found = self.0.iter().find(|(locale, _)| speaks(locale)).and_then(|(_, texts)| texts.get(key));
            if let Some(text) = found {
                return text;
            }
        }
        own.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_that_is_there_counts() {
        let english = BTreeMap::from([("plugin".to_owned(), "Stock".to_owned())]);
        let labels = Labels(BTreeMap::from([("en".to_owned(), english)]));
        let text = |accept: Option<&str>| labels.text(accept, "plugin", ("zh-CN", "库存")).to_owned();
        assert_eq!(text(None), "库存");
        assert_eq!(text(Some("en-US,en;q=0.9")), "Stock");
        assert_eq!(text(Some("fr, zh;q=0.8, en;q=0.5")), "库存");
        assert_eq!(text(Some("fr")), "库存");
    }
}
