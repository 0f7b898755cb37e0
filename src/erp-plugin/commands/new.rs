//! `erp-plugin new`.

use std::path::{Path, PathBuf};

use clap::Args;
use erp_manifest::PluginId;
use erp_manifest::diagnostics::SourceFile;
use erp_manifest::exit_code::ExitCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::CommandResult;
use super::generate::world_of;
use super::package_file::read_at_most;
use super::template_source::find;
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::generate::{GeneratedFile, generated_files};
use crate::project::{MANIFEST_FILE, workspace_root};
use crate::scaffold::{
    Answers, EntityGuess, MAX_INFERRED_FILE, Parameter, PlannedFile, TargetFolder, Template, infer, write,
};

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
    /// A built-in template, a folder with template.toml, or the address of a repository of git
    #[arg(long, short, value_name = "NAME|FOLDER|URL", default_value = "minimal")]
    template: String,
    /// The branch, tag or commit of a repository
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
    /// The folder of the template in a repository
    #[arg(long, value_name = "FOLDER")]
    template_path: Option<PathBuf>,
    /// A parameter of the template; several times for several
    #[arg(long, short, value_name = "NAME=VALUE")]
    define: Vec<String>,
    /// A file with parameters of the template, in TOML or JSON
    #[arg(long, value_name = "FILE")]
    values_file: Option<PathBuf>,
    /// Data to read entities from, for templates that take it: .csv, .xlsx, .json, .sql
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
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
    scaffold(context, &args.template, &context.path(&args.path), TargetFolder::NewFolder)
}

pub(super) fn scaffold(context: &Context, args: &TemplateArgs, folder: &Path, target: TargetFolder) -> CommandResult {
    let found = find(context, &args.template, args.revision.as_deref(), args.template_path.as_deref())?;
    let template = found.template;
    let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let id = args.id.clone().unwrap_or(name);
    let Some(id) = PluginId::new(id.clone()) else {
        let error =
            CommandError::new(codes::USAGE, format!("`{id}` is no id of a plugin: the rule is {}", PluginId::RULE));
        return Err(error.hint("name another folder, or pass --id, such as --id erp-inventory"));
    };
    let given = given_values(context, args)?;
    let values = template.values(&given).map_err(|error| {
        let error = CommandError::new(codes::USAGE, error.to_string());
        template.about.parameters.iter().map(Parameter::shown).fold(error, CommandError::hint)
    })?;
    let root = workspace_root(folder);
    let entities = entities(context, args, &template, (&given, &values))?;
    let answers = Answers {
        id: id.to_string(),
        crate_name: id.to_string(),
        display_name: args.display_name.clone().unwrap_or_else(|| id.to_string()),
        author: args.author.clone(),
        in_workspace: root.join("Cargo.toml").is_file() && root != folder,
        entities,
    };
    let mut planned = template.render(&answers, &values)?;
    planned.extend(generated_for(&template, &planned)?);
    planned.sort_by(|left, right| left.path.cmp(&right.path));
    let planned_crate = planned.iter().any(|file| file.path == "Cargo.toml");
    write(folder, &planned, target)?;
    let files: Vec<String> = planned.into_iter().map(|file| file.path).collect();
    let is_there = target == TargetFolder::ExistingFolder;
    let shown = if is_there { ".".to_owned() } else { context.shown(folder) };
    context.ui.status("Created", format!("{id} from {} in {shown}", found.from));
    for entity in answers.entities.iter().filter(|_| args.from.is_some()) {
        let count = entity.fields.len();
        let shown = entity.fields.iter().take(3).map(|field| format!("{} {}", field.name, field.field_type));
        let shown = shown.collect::<Vec<_>>().join(", ") + if count > 3 { ", …" } else { "" };
        context.ui.status("Read", format!("{} ({count} fields: {shown})", entity.name));
    }
    if answers.in_workspace && planned_crate {
        let cargo = context.shown(&root.join("Cargo.toml"));
        context
            .ui
            .status("Note", format!("{cargo} must name it among its members, and holds the profiles: opt-level, lto"));
    }
    let result = NewResult { ok: true, id: id.to_string(), template: template.name, folder: shown.clone(), files };
    context.ui.result(&result, || {
        let enter = if is_there { String::new() } else { format!("cd {shown} && ") };
        format!("{enter}erp-plugin build --release && erp-plugin test")
    });
    Ok(ExitCode::Ok)
}

/// The parameters from the values file and the command line. The command line takes precedence.
fn given_values(context: &Context, args: &TemplateArgs) -> Result<Map<String, Value>, CommandError> {
    let usage = |message: String| CommandError::new(codes::USAGE, message);
    let mut given = Map::new();
    if let Some(file) = &args.values_file {
        let text = context.source(file)?;
        let is_json = file.extension().is_some_and(|ending| ending == "json");
        let read = if is_json {
            serde_json::from_str(text.text()).map_err(|error| error.to_string())
        } else {
            toml::from_str(text.text()).map_err(|error| error.to_string())
        };
        let values: Map<String, Value> = read.map_err(|why| usage(format!("{}: {why}", file.display())))?;
        given.extend(values);
    }
    for define in &args.define {
        let (name, value) =
            define.split_once('=').ok_or_else(|| usage(format!("--define {define} is not NAME=VALUE")))?;
        given.insert(name.trim().to_owned(), Value::String(value.to_owned()));
    }
    Ok(given)
}

/// The entities for a template that takes data; empty for other templates.
fn entities(
    context: &Context,
    args: &TemplateArgs,
    template: &Template,
    (given, values): (&Map<String, Value>, &Map<String, Value>),
) -> Result<Vec<EntityGuess>, CommandError> {
    let usage = |message: String| CommandError::new(codes::USAGE, message);
    match &args.from {
        Some(_) if !template.about.takes_data => {
            Err(usage(format!("the template `{}` takes no data", template.name)).hint("--template crud does"))
        }
        Some(_) if ["entity", "entity_label"].iter().any(|name| given.contains_key(*name)) => {
            Err(usage("--from brings the entities: leave `entity` and `entity_label` away".to_owned()))
        }
        Some(file) => {
            let bytes = read_at_most(context, file, MAX_INFERRED_FILE as u64)?;
            infer(file, &bytes).map_err(|error| usage(error.to_string()))
        }
        None if template.about.takes_data => {
            let text = |name: &str| values.get(name).and_then(Value::as_str).unwrap_or_default();
            Ok(vec![EntityGuess::plain(text("entity"), text("entity_label"))])
        }
        None => Ok(Vec::new()),
    }
}

/// The generated code for the manifest of a template. Fails if the template has no valid manifest.
fn generated_for(template: &Template, planned: &[PlannedFile]) -> Result<Vec<PlannedFile>, CommandError> {
    let refused = |why: String| {
        let message = format!("the template `{}` gives no plugin: {why}", template.name);
        CommandError::new(codes::TEMPLATE, message)
    };
    let manifest = planned.iter().find(|file| file.path == MANIFEST_FILE);
    let manifest = manifest.ok_or_else(|| refused(format!("it has no {MANIFEST_FILE}")))?;
    match erp_manifest::parse(&SourceFile::new(MANIFEST_FILE, String::from_utf8_lossy(&manifest.content))) {
        (Some(manifest), report) if !report.has_errors() => {
            let files = generated_files(&manifest, &world_of(&manifest)?)?;
            Ok(files
                .into_iter()
                .map(|GeneratedFile { path, text }| PlannedFile { path, content: text.into_bytes() })
                .collect())
        }
        (_, report) => Err(refused(format!("its {MANIFEST_FILE} has errors")).with_report(report)),
    }
}
