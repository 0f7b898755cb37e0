//! Settings for building the component.

use super::super::FieldName;
use crate::diagnostics::Spanned;
use crate::document::{table, words};

words! {
    /// What a plugin is written in.
    pub enum Language {
        /// A crate with `Cargo.toml`; `build` runs cargo.
        Rust = "rust",
        /// TypeScript or JavaScript with `package.json`; `build` runs jco.
        Typescript = "typescript",
        /// Python with `requirements.txt`; `build` runs componentize-py.
        Python = "python",
        /// None: pages and tables do all the work; `build` makes a component that does nothing.
        NoCode = "none",
    }
}

table! {
    /// How the component is made.
    pub struct Build {
        /// What the plugin is written in.
        language: Spanned<Language> = Spanned::new(Language::Rust, 0..0),
        /// The file that holds the exports, in TypeScript and Python; `src/plugin.ts` or `src/plugin.py` if it is absent.
        entry: Option<Spanned<String>>,
        /// False for a crate that wants the bindings of the host API alone, as `src/bindings.rs`, and no `src/erp`.
        toolkit: bool = true,
    }
}

impl Build {
    /// The file that holds the exports, relative to the manifest. `None` for a crate, whose `Cargo.toml` names it, and
    /// for a plugin without code.
    pub fn entry(&self) -> Option<&str> {
        let usual = match *self.language {
            Language::Rust | Language::NoCode => return None,
            Language::Typescript => "src/plugin.ts",
            Language::Python => "src/plugin.py",
        };
        Some(self.entry.as_ref().map_or(usual, |entry| entry.as_str()))
    }
}

table! {
    /// A component that the plugin's own is composed with: what it exports and the plugin imports becomes one. Exactly
    /// one of `path`, `file` and `package` says where it comes from.
    pub struct Link {
        /// What messages call it.
        name: Spanned<FieldName>,
        /// A folder with a crate that makes a component, relative to the manifest; it is built with the plugin.
        path: Option<Spanned<String>>,
        /// A component, relative to the manifest.
        file: Option<Spanned<String>>,
        /// A package (`.erpx`) whose component is taken, relative to the manifest.
        package: Option<Spanned<String>>,
    }
}
