//! Templates, and what they render to.

use std::path::Path;

use include_dir::{Dir, include_dir};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use thiserror::Error;

static TEMPLATES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// A template: files with values to fill in.
#[derive(Debug, Clone)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// One line about it.
    pub description: String,
    /// Path in the template's `content` folder, and text.
    files: Vec<(String, String)>,
}

/// The values that a template is filled with.
#[derive(Debug, Clone, Serialize)]
pub struct Answers {
    /// The plugin's id.
    pub id: String,
    /// The name of its crate.
    pub crate_name: String,
    /// The name that people read.
    pub display_name: String,
    /// Who makes it.
    pub author: String,
}

/// A file that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// Relative to the project, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Why a template cannot be used.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// The folder is no template.
    #[error("{0} is no template: {1}")]
    NotATemplate(String, String),
    /// A file cannot be filled in.
    #[error("the template's file `{file}` cannot be filled in: {reason}")]
    Render {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
}

/// The templates in the binary, sorted by name.
pub fn builtin() -> Vec<Template> {
    let mut templates: Vec<Template> = TEMPLATES
        .dirs()
        .filter_map(|folder| {
            let name = folder.path().to_str()?.to_owned();
            let description = description(folder.get_file(folder.path().join("template.toml"))?.contents_utf8()?)?;
            let content = folder.get_dir(folder.path().join("content"))?;
            let mut files = Vec::new();
            embedded_files(content, content.path(), &mut files);
            files.sort();
            Some(Template { name, description, files })
        })
        .collect();
    templates.sort_by(|left, right| left.name.cmp(&right.name));
    templates
}

fn embedded_files(folder: &Dir<'_>, root: &Path, files: &mut Vec<(String, String)>) {
    for file in folder.files() {
        let path = file.path().strip_prefix(root).unwrap_or(file.path());
        if let Some(text) = file.contents_utf8() {
            files.push((path.to_string_lossy().replace('\\', "/"), text.to_owned()));
        }
    }
    for folder in folder.dirs() {
        embedded_files(folder, root, files);
    }
}

fn description(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    table.get("description")?.as_str().map(str::to_owned)
}

impl Template {
    /// A template in a folder: `template.toml` beside `content/`.
    ///
    /// # Errors
    /// [`TemplateError::NotATemplate`].
    pub fn from_folder(folder: &Path) -> Result<Template, TemplateError> {
        let not_a_template = |reason: String| TemplateError::NotATemplate(folder.display().to_string(), reason);
        let text =
            fs_err::read_to_string(folder.join("template.toml")).map_err(|error| not_a_template(error.to_string()))?;
        let description =
            description(&text).ok_or_else(|| not_a_template("template.toml has no `description`".to_owned()))?;
        let content = folder.join("content");
        let mut files = Vec::new();
        let mut folders = vec![content.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(&folder).map_err(|error| not_a_template(error.to_string()))? {
                let path = entry.map_err(|error| not_a_template(error.to_string()))?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs_err::read_to_string(&path).map_err(|error| not_a_template(error.to_string()))?;
                let name = path.strip_prefix(&content).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                files.push((name, text));
            }
        }
        files.sort();
        let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Template { name, description, files })
    }

    /// The files of a project, sorted by path. The same answers give the same files.
    ///
    /// # Errors
    /// [`TemplateError::Render`].
    pub fn render(&self, answers: &Answers) -> Result<Vec<PlannedFile>, TemplateError> {
        let failed = |file: &str, error: &minijinja::Error| TemplateError::Render {
            file: file.to_owned(),
            reason: error.to_string(),
        };
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        // A value with quotes of its own stays one TOML string.
        engine.add_filter("toml", |text: String| toml::Value::String(text).to_string());
        // Not `{{`: CI files and Rust's format strings have that.
        let syntax = SyntaxConfig::builder()
            .variable_delimiters("{=", "=}")
            .block_delimiters("{%", "%}")
            .comment_delimiters("{#", "#}")
            .keep_trailing_newline(true)
            .build();
        engine.set_syntax(syntax.map_err(|error| failed("", &error))?);
        let values = minijinja::Value::from(minijinja::value::Serde(answers));
        let mut planned = Vec::with_capacity(self.files.len());
        for (path, text) in &self.files {
            let text = engine.render_named_str(path, text, values.clone()).map_err(|error| failed(path, &error))?;
            planned.push(PlannedFile { path: project_path(path), text });
        }
        planned.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(planned)
    }
}

/// `dot_github/x.yml` → `.github/x.yml`, `Cargo.toml.tmpl` → `Cargo.toml`.
fn project_path(path: &str) -> String {
    let parts: Vec<String> = path
        .split('/')
        .map(|part| part.strip_prefix("dot_").map_or_else(|| part.to_owned(), |rest| format!(".{rest}")))
        .collect();
    let path = parts.join("/");
    path.strip_suffix(".tmpl").map_or(path.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_renders_and_leaves_no_mark() {
        let answers = Answers {
            id: "erp-x".to_owned(),
            crate_name: "erp-x".to_owned(),
            display_name: "进销存 \"甲\\乙\"".to_owned(),
            author: "\n".to_owned(),
        };
        let templates = builtin();
        assert_eq!(
            templates.iter().map(|template| template.name.as_str()).collect::<Vec<_>>(),
            ["inventory", "minimal"]
        );
        for template in templates {
            let files = template.render(&answers).unwrap();
            for file in &files {
                assert!(!file.text.contains("{="), "{}", file.path);
                let is_toml = Path::new(&file.path).extension().is_some_and(|extension| extension == "toml");
                assert!(!is_toml || file.text.parse::<toml::Table>().is_ok(), "{}:\n{}", file.path, file.text);
            }
            for needed in
                [".github/workflows/plugin.yml", ".gitignore", "Cargo.toml", "README.md", "plugin.toml", "src/lib.rs"]
            {
                assert!(files.iter().any(|file| file.path == needed), "{} lacks {needed}", template.name);
            }
        }
    }
}
