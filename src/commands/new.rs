//! `erp-plugin new`.

use std::path::{Path, PathBuf};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::generate::world_of;
use crate::command_error::CommandError;
use crate::context::Context;
use crate::diagnostics::SourceFile;
use crate::exit_code::ExitCode;
use crate::generate::{GeneratedFile, generated_files};
use crate::manifest::{self, PluginId};
use crate::project::MANIFEST_FILE;
use crate::scaffold::{Answers, PlannedFile, Template, builtin, write};

/// Scaffold a plugin project from a template
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The folder to make; its name becomes the plugin's id
    path: PathBuf,
    #[command(flatten)]
    template: TemplateArgs,
}

/// What a project is made from.
#[derive(Debug, Args)]
pub(super) struct TemplateArgs {
    /// A built-in template (`minimal`, `inventory`), or a folder with template.toml
    #[arg(long, short, value_name = "NAME|FOLDER", default_value = "minimal")]
    template: String,
    /// The plugin's id, where it is not the folder's name
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The name that people read, in any language
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Who makes it
    #[arg(long, value_name = "TEXT", default_value = "")]
    author: String,
}

/// A project that was scaffolded.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NewResult {
    ok: bool,
    /// The plugin's id.
    id: String,
    /// The template.
    template: String,
    /// The folder.
    folder: String,
    /// The files, relative to the folder.
    files: Vec<String>,
}

pub(super) fn run(context: &Context, args: &NewArgs) -> CommandResult {
    scaffold(context, &args.template, &context.path(&args.path), false)
}

pub(super) fn scaffold(context: &Context, args: &TemplateArgs, folder: &Path, into_existing: bool) -> CommandResult {
    let template = find_template(context, &args.template)?;
    let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let id = args.id.clone().unwrap_or(name);
    let Some(id) = PluginId::new(id.clone()) else {
        let error = CommandError::new(
            ExitCode::Usage,
            "new",
            format!("`{id}` is no id of a plugin: the rule is {}", PluginId::RULE),
        );
        return Err(error.hint("name another folder, or pass --id, such as --id erp-inventory"));
    };
    let answers = Answers {
        id: id.to_string(),
        crate_name: id.to_string(),
        display_name: args.display_name.clone().unwrap_or_else(|| id.to_string()),
        author: args.author.clone(),
    };
    let mut planned = template.render(&answers)?;
    planned.extend(generated_for(&template, &planned)?);
    planned.sort_by(|left, right| left.path.cmp(&right.path));
    write(folder, &planned, into_existing)?;
    let files: Vec<String> = planned.into_iter().map(|file| file.path).collect();
    let shown = if into_existing { ".".to_owned() } else { context.shown(folder) };
    context.ui.status("Created", format!("{id} from the template {} in {shown}", template.name));
    let result = NewResult { ok: true, id: id.to_string(), template: template.name, folder: shown.clone(), files };
    context.ui.result(&result, || {
        let enter = if into_existing { String::new() } else { format!("cd {shown} && ") };
        format!("{enter}erp-plugin build --release && erp-plugin test")
    });
    Ok(ExitCode::Ok)
}

/// The code for the manifest that the template gives; a template without a good one is refused.
fn generated_for(template: &Template, planned: &[PlannedFile]) -> Result<Vec<PlannedFile>, CommandError> {
    let refused = |why: String| {
        let message = format!("the template `{}` gives no plugin: {why}", template.name);
        CommandError::new(ExitCode::Configuration, "template", message)
    };
    let manifest = planned.iter().find(|file| file.path == MANIFEST_FILE);
    let manifest = manifest.ok_or_else(|| refused(format!("it has no {MANIFEST_FILE}")))?;
    match manifest::parse(&SourceFile::new(MANIFEST_FILE, manifest.text.as_str())) {
        (Some(manifest), report) if !report.has_errors() => {
            let files = generated_files(&manifest, &world_of(&manifest)?)?;
            Ok(files.into_iter().map(|GeneratedFile { path, text }| PlannedFile { path, text }).collect())
        }
        (_, report) => Err(refused(format!("its {MANIFEST_FILE} has errors")).with_report(report)),
    }
}

fn find_template(context: &Context, name: &str) -> Result<Template, CommandError> {
    let templates = builtin();
    if let Some(template) = templates.iter().find(|template| template.name == name) {
        return Ok(template.clone());
    }
    let folder = context.path(Path::new(name));
    if folder.is_dir() {
        return Ok(Template::from_folder(&folder)?);
    }
    let known: Vec<String> =
        templates.iter().map(|template| format!("{} ({})", template.name, template.description)).collect();
    let error = CommandError::new(ExitCode::Usage, "template", format!("there is no template `{name}`"));
    Err(known.into_iter().fold(error, CommandError::hint))
}
