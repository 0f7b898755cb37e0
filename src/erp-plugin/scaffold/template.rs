//! Templates and their rendering.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};

use include_dir::{Dir, include_dir};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::EntityGuess;
use super::parameters::{Parameter, values_of};

static TEMPLATES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// A template: files with values to fill in. No part of it is ever executed.
#[derive(Debug, Clone)]
pub struct Template {
    /// The name.
    pub name: String,
    /// The contents of `template.toml`.
    pub about: About,
    /// The path in the template's `content` folder, and the bytes, of each file.
    files: Vec<(String, Vec<u8>)>,
}

/// The contents of `template.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// One line that describes the template.
    pub description: String,
    /// True where entities can be read from data (`--from`): the files see them as `entities`.
    #[serde(default)]
    pub takes_data: bool,
    /// The template's own parameters.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// Values that the files see in addition to the parameters.
    #[serde(default)]
    pub constants: Map<String, Value>,
    /// Conditions over the values, by the beginning of paths: such files are included only where the condition is true.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Folders of `templates/shared` whose files are included; only templates in the binary have them.
    #[serde(default)]
    pub shared: Vec<String>,
}

/// The values that every template receives, in addition to its own parameters.
#[derive(Debug, Clone, Serialize)]
pub struct Answers {
    /// The plugin's id.
    pub id: String,
    /// The name of its crate.
    pub crate_name: String,
    /// The name that people read.
    pub display_name: String,
    /// The author of the plugin.
    pub author: String,
    /// True where the project is inside a workspace of cargo.
    pub in_workspace: bool,
    /// Entities that were read from data.
    pub entities: Vec<EntityGuess>,
}

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// The path relative to the project, with `/`.
    pub path: String,
    /// The bytes of the file.
    pub content: Vec<u8>,
}

/// The reason why a template cannot be used.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// The folder is not a template: its name, and why.
    #[error("{0} is no template: {1}")]
    NotATemplate(String, String),
    /// A file cannot be filled in.
    #[error("the template's file `{file}` cannot be filled in: {reason}")]
    Render {
        /// The file.
        file: String,
        /// The reason.
        reason: String,
    },
    /// Values do not fit; contains all problems.
    #[error("{}", .0.join("; "))]
    Values(Vec<String>),
}

/// Returns the templates in the binary, sorted by name.
pub fn builtin() -> Vec<Template> {
    let mut templates: Vec<Template> = TEMPLATES
        .dirs()
        .filter_map(|folder| {
            let name = folder.path().to_str()?.to_owned();
            let about = folder.get_file(folder.path().join("template.toml"))?.contents_utf8()?;
            let content = folder.get_dir(folder.path().join("content"))?;
            let mut files = Vec::new();
            embedded_files(content, content.path(), &mut files);
            let about: About = toml::from_str(about).ok()?;
            for shared in about.shared.iter().filter_map(|name| TEMPLATES.get_dir(format!("shared/{name}"))) {
                embedded_files(shared, shared.path(), &mut files);
            }
            files.sort();
            Some(Template { name, about, files })
        })
        .collect();
    templates.sort_by(|left, right| left.name.cmp(&right.name));
    templates
}

fn embedded_files(folder: &Dir<'_>, root: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for file in folder.files() {
        let path = file.path().strip_prefix(root).unwrap_or(file.path());
        files.push((path.to_string_lossy().replace('\\', "/"), file.contents().to_vec()));
    }
    for folder in folder.dirs() {
        embedded_files(folder, root, files);
    }
}

/// The most rendering steps of one file, and of all files together.
const MAX_STEPS: u64 = 2_000_000;
const MAX_ALL_STEPS: u64 = 20_000_000;
/// The most files of a template, and their total bytes.
const MAX_FILES: usize = 2_000;
const MAX_INPUT: u64 = 32 << 20;
/// The most bytes of `template.toml`.
const MAX_ABOUT: u64 = 1 << 20;
/// The most bytes that a template may write, all files together.
const MAX_OUTPUT: usize = 32 << 20;

/// An output that fails once `left` bytes are used up.
struct BoundedOutput<'l> {
    bytes: Vec<u8>,
    left: &'l mut usize,
}

impl io::Write for BoundedOutput<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.left = self
            .left
            .checked_sub(bytes.len())
            .ok_or_else(|| io::Error::other(format!("the template writes more than {} MB", MAX_OUTPUT >> 20)))?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Template {
    /// Reads a template from a folder: `template.toml` beside `content/`. Symbolic links are refused, since they may
    /// point anywhere.
    ///
    /// # Errors
    /// [`TemplateError::NotATemplate`].
    pub fn from_folder(folder: &Path, name: &str) -> Result<Template, TemplateError> {
        let not_a_template = |reason: String| TemplateError::NotATemplate(name.to_owned(), reason);
        let file = folder.join("template.toml");
        let metadata = fs_err::symlink_metadata(&file).ok().filter(std::fs::Metadata::is_file);
        let Some(metadata) = metadata else {
            return Err(not_a_template("it has no file template.toml".to_owned()));
        };
        if metadata.len() > MAX_ABOUT {
            return Err(not_a_template(format!("template.toml has more than {MAX_ABOUT} bytes")));
        }
        let text = fs_err::read_to_string(file).map_err(|error| not_a_template(error.to_string()))?;
        let about: About =
            toml::from_str(&text).map_err(|error| not_a_template(format!("template.toml: {}", error.message())))?;
        let content = folder.join("content");
        if fs_err::symlink_metadata(&content).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(not_a_template("`content` is a link, which could lead out of it".to_owned()));
        }
        let mut files = Vec::new();
        let mut folders = vec![content.clone()];
        let mut bytes = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(&folder).map_err(|error| not_a_template(error.to_string()))? {
                let entry = entry.map_err(|error| not_a_template(error.to_string()))?;
                let path = entry.path();
                let kind = entry.file_type().map_err(|error| not_a_template(error.to_string()))?;
                if kind.is_dir() {
                    folders.push(path);
                    continue;
                }
                let own = path.strip_prefix(&content).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                if !kind.is_file() {
                    return Err(not_a_template(format!("`{own}` is a link, which could lead out of it")));
                }
                bytes += entry.metadata().map_err(|error| not_a_template(error.to_string()))?.len();
                if files.len() == MAX_FILES || bytes > MAX_INPUT {
                    let most = MAX_INPUT >> 20;
                    return Err(not_a_template(format!("it has more than {MAX_FILES} files or {most} MB")));
                }
                files.push((own, fs_err::read(&path).map_err(|error| not_a_template(error.to_string()))?));
            }
        }
        files.sort();
        Ok(Template { name: name.to_owned(), about, files })
    }

    /// Returns the checked values of the template's own parameters, with defaults where `given` has none.
    ///
    /// # Errors
    /// [`TemplateError::Values`] with all problems; [`TemplateError::NotATemplate`] for a parameter with a reserved
    /// name.
    pub fn values(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, TemplateError> {
        let own = ["id", "crate_name", "display_name", "author", "in_workspace", "entities"];
        if let Some(parameter) = self.about.parameters.iter().find(|parameter| own.contains(&parameter.name.as_str())) {
            let why = format!("its parameter `{}` has a name that every template has already", parameter.name);
            return Err(TemplateError::NotATemplate(self.name.clone(), why));
        }
        values_of(&self.about.parameters, given).map_err(TemplateError::Values)
    }

    /// Returns the files of a project, sorted by path. The same answers give the same files.
    ///
    /// # Errors
    /// [`TemplateError::Render`].
    pub fn render(&self, answers: &Answers, values: &Map<String, Value>) -> Result<Vec<PlannedFile>, TemplateError> {
        let failed = |file: &str, error: &minijinja::Error| TemplateError::Render {
            file: file.to_owned(),
            reason: error.to_string(),
        };
        let mut engine = Environment::new();
        let files = self.files.len().max(1) as u64;
        engine.set_fuel(Some(MAX_STEPS.min(MAX_ALL_STEPS / files)));
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        // A value that contains quotes stays one TOML string.
        engine.add_filter("toml", |text: String| toml::Value::String(text).to_string());
        engine.add_filter("json", |text: String| Value::String(text).to_string());
        // Not `{{`: CI files and Rust's format strings contain it.
        let syntax = SyntaxConfig::builder()
            .variable_delimiters("{=", "=}")
            .block_delimiters("{%", "%}")
            .comment_delimiters("{#", "#}")
            .keep_trailing_newline(true)
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        engine.set_syntax(syntax.map_err(|error| failed("", &error))?);
        let mut all = self.about.constants.clone();
        all.extend(values.clone());
        if let Ok(Value::Object(own)) = serde_json::to_value(answers) {
            all.extend(own);
        }
        let all = minijinja::Value::from(minijinja::value::Serde(all));
        let mut planned = Vec::with_capacity(self.files.len());
        let mut left = MAX_OUTPUT;
        for (path, content) in &self.files {
            let conditions = self.about.files.iter().filter(|(prefix, _)| path.starts_with(prefix.as_str()));
            let mut is_wanted = true;
            for (_, condition) in conditions {
                let value = engine.compile_expression(condition).and_then(|condition| condition.eval(all.clone()));
                is_wanted &= value.map_err(|error| failed(path, &error))?.is_true();
            }
            if !is_wanted {
                continue;
            }
            let mut rendered = |text: &str| -> Result<String, TemplateError> {
                let template = engine.template_from_named_str(path, text).map_err(|error| failed(path, &error))?;
                let mut output = BoundedOutput { bytes: Vec::new(), left: &mut left };
                template.render_captured_to(all.clone(), &mut output).map_err(|error| failed(path, &error))?;
                String::from_utf8(output.bytes)
                    .map_err(|error| TemplateError::Render { file: path.clone(), reason: error.to_string() })
            };
            let target = rendered(path)?;
            let target = project_path(&target);
            let is_safe = |part: Component<'_>| match part {
                // The files in `.git` determine which programs the next git command runs.
                Component::Normal(name) => !name.eq_ignore_ascii_case(".git"),
                _ => false,
            };
            if target.is_empty() || !Path::new(&target).components().all(is_safe) {
                let reason = format!("it would be written to `{target}`, which is outside the project or git's own");
                return Err(TemplateError::Render { file: path.clone(), reason });
            }
            // Files that are not UTF-8, such as pictures and archives, are copied unchanged.
            let content = match std::str::from_utf8(content) {
                Ok(text) => rendered(text)?.into_bytes(),
                Err(_) => {
                    left = left.checked_sub(content.len()).ok_or_else(|| TemplateError::Render {
                        file: path.clone(),
                        reason: format!("the template writes more than {} MB", MAX_OUTPUT >> 20),
                    })?;
                    content.clone()
                }
            };
            planned.push(PlannedFile { path: target, content });
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
            in_workspace: false,
            entities: vec![EntityGuess::plain("item", "物品")],
        };
        for template in builtin() {
            let values = template.values(&Map::new()).unwrap();
            let files = template.render(&answers, &values).unwrap();
            for file in &files {
                let Ok(text) = std::str::from_utf8(&file.content) else { continue };
                assert!(!text.contains("{=") && !text.contains("{%"), "{}", file.path);
                let is_toml = Path::new(&file.path).extension().is_some_and(|extension| extension == "toml");
                assert!(!is_toml || text.parse::<toml::Table>().is_ok(), "{}:\n{text}", file.path);
            }
            for needed in [".github/workflows/plugin.yml", ".gitignore", "README.md", "plugin.toml"] {
                assert!(files.iter().any(|file| file.path == needed), "{} lacks {needed}", template.name);
            }
        }
    }

    #[test]
    fn no_file_of_a_template_leaves_the_project() {
        let about: About = toml::from_str("description = ''").unwrap();
        let answers = Answers {
            id: "../../x".to_owned(),
            crate_name: String::new(),
            display_name: String::new(),
            author: String::new(),
            in_workspace: false,
            entities: Vec::new(),
        };
        let files = vec![("{= id =}".to_owned(), Vec::new())];
        let template = Template { name: "t".to_owned(), about, files };
        assert!(matches!(template.render(&answers, &Map::new()), Err(TemplateError::Render { .. })));
    }
}
