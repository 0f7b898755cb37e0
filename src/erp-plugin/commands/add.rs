//! `erp-plugin add`.

use clap::{Args, Subcommand};
use erp_check::{CheckSubject, UNUSED, check_manifest};
use erp_files::FileAccess;
use erp_manifest::codes::Severity;
use erp_manifest::diagnostics::{Diagnostic, Fix, Report, SourceFile, apply_fixes};
use erp_manifest::document::{self, did_you_mean};
use erp_manifest::exit_code::ExitCode;
use erp_manifest::{
    self, EntityName, FieldName, FieldType, Manifest, ManifestText, PageType, PermissionCode, PropertyKind, Provider,
    is_event_name,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use crate::command_error::{CommandError, codes};
use crate::context::Context;

/// Add an entity, a field, a page, a permission, an event or a node to plugin.toml
///
/// What is new comes beside what is alike; comments, order and layout of the rest stay as they are. Nothing is
/// written where the manifest would have more errors than before.
#[derive(Debug, Subcommand)]
pub(crate) enum AddCommand {
    Entity(EntityArgs),
    Field(FieldArgs),
    Page(PageArgs),
    Permission(PermissionArgs),
    Event(EventArgs),
    Node(NodeArgs),
}

/// Add an entity with its fields, its permissions and a page
#[derive(Debug, Args)]
pub(crate) struct EntityArgs {
    /// Its name, such as `purchase_order`
    name: String,
    /// The name that people read
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A field, as `name:type`; several times for several
    #[arg(long, value_name = "NAME:TYPE")]
    field: Vec<String>,
    /// Add no page
    #[arg(long)]
    no_page: bool,
}

/// Add a field to an entity
#[derive(Debug, Args)]
pub(crate) struct FieldArgs {
    /// The entity
    entity: String,
    /// The field's name
    name: String,
    /// Its type, such as `string`, `currency`, `date`, `ref`
    field_type: String,
    /// The name that people read
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A row must have a value
    #[arg(long)]
    required: bool,
    /// No two rows have the same value
    #[arg(long)]
    unique: bool,
    /// The search box looks into it
    #[arg(long)]
    searchable: bool,
    /// Lists can be filtered by it
    #[arg(long)]
    filterable: bool,
    /// Lists can be sorted by it
    #[arg(long)]
    sortable: bool,
    /// The entity that a `ref` names rows of
    #[arg(long, value_name = "ENTITY")]
    ref_entity: Option<String>,
    /// The values of a `select`, as `value=label`; several times for several
    #[arg(long, value_name = "VALUE=LABEL")]
    option: Vec<String>,
}

/// Add a page that shows an entity
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// What it shows: `crud`, `tree`, `kanban`, …
    page_type: String,
    /// The entity
    entity: String,
    /// The name that people read
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Its name in URLs, where the entity has a page already
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A further key of the page, such as `parent_field=above`; several times for several
    #[arg(long, value_name = "KEY=FIELD")]
    set: Vec<String>,
}

/// Add a permission
#[derive(Debug, Args)]
pub(crate) struct PermissionArgs {
    /// Its code: an entity and an action, such as `order.approve`
    #[arg(value_parser = permission_code)]
    code: PermissionCode,
    /// The name that administrators read
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
}

/// Add an event that the plugin hears, or tells
#[derive(Debug, Args)]
pub(crate) struct EventArgs {
    /// Its name, words joined by dots; `a.*` where it is heard
    name: String,
    /// The plugin tells it: declared, and granted in [capabilities]
    #[arg(long)]
    publish: bool,
}

/// Add a node that workflows can place
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// Its name, your own first: `acme.invoice.split`
    kind: String,
    /// What it supplies, where it is a supplier: `llm`, `memory`, `tool` or `agent`
    #[arg(long, value_name = "WHAT")]
    provides: Option<String>,
    /// The name that people read
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A property, as `name:kind`; several times for several
    #[arg(long, value_name = "NAME:KIND")]
    property: Vec<String>,
    /// What fails stops the workflow, and does not leave by the port `error`
    #[arg(long)]
    no_error_port: bool,
}

/// What was added.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AddResult {
    ok: bool,
    /// The manifest.
    manifest: String,
    /// What was added.
    added: Vec<String>,
}

pub(super) fn run(context: &Context, command: &AddCommand) -> CommandResult {
    let project = context.project()?;
    let source = &project.source;
    if source.is_json() {
        let message = format!("{} is JSON, and `add` writes TOML", source.path().display());
        return Err(CommandError::new(codes::ADD, message)
            .hint("write the block by hand, or turn the manifest into plugin.toml"));
    }
    let (root, syntax) = document::parse(source);
    let (before, mut report) = erp_manifest::parse(source);
    report.extend(syntax);
    let Some(before) = before else {
        let message = "plugin.toml cannot be read as it is: mend it first";
        return Err(CommandError::new(codes::MANIFEST, message).with_report(report));
    };
    let text = ManifestText::new(source, &root);
    let fixes = match command {
        AddCommand::Entity(args) => entity(args, &before, &text)?,
        AddCommand::Field(args) => field(args, &before, &text)?,
        AddCommand::Page(args) => page(args, &before, &text)?,
        AddCommand::Permission(args) => permission(args, &before, &text)?,
        AddCommand::Event(args) => event(args, &before, &text)?,
        AddCommand::Node(args) => node(args, &before, &text)?,
    };
    let mut changes = Report::new();
    for fix in fixes {
        changes.push(Diagnostic::new(UNUSED, "").in_source(source).fixed_by(fix));
    }
    let (changed, added) = apply_fixes(source, &changes);
    let after = SourceFile::new(source.path(), changed.as_str());
    let old = report.count(Severity::Error) + errors(&before, source, &|path| project.file(path));
    let (new_manifest, mut new_report) = erp_manifest::parse(&after);
    if let Some(manifest) = &new_manifest {
        new_report.extend(check_manifest(&CheckSubject { manifest, source: &after, file: &|path| project.file(path) }));
    }
    if new_manifest.is_none() || new_report.count(Severity::Error) > old {
        let message = "nothing was written: the manifest would have an error that it does not have now";
        let error = CommandError::new(codes::ADD, message).with_report(new_report);
        return Err(match command {
            AddCommand::Page(_) => error.hint("keys of a page are given with --set, such as --set lane_field=FIELD"),
            AddCommand::Field(_) => error.hint("the entity that a ref names is given with --ref-entity ENTITY"),
            _ => error,
        });
    }
    erp_files::write(&project.manifest_file, changed.as_bytes(), FileAccess::Shared)?;
    let result = AddResult { ok: true, manifest: context.shown(&project.manifest_file), added };
    context.ui.result(&result, || format!("added to {}: {}", result.manifest, result.added.join(", ")));
    Ok(ExitCode::Ok)
}

type Fixes = Result<Vec<Fix>, CommandError>;

/// Returns the addition. Fails if it has no place, because the existing entries are written inline.
fn placed(fix: Option<Fix>, path: &str) -> Result<Fix, CommandError> {
    fix.ok_or_else(|| usage(format!("`{path}` is written inline in this manifest: add it there by hand"), None))
}

fn errors(manifest: &Manifest, source: &std::sync::Arc<SourceFile>, file: &dyn Fn(&str) -> Option<Vec<u8>>) -> usize {
    check_manifest(&CheckSubject { manifest, source, file }).count(Severity::Error)
}

fn usage(message: impl Into<String>, help: Option<String>) -> CommandError {
    let error = CommandError::new(codes::USAGE, message);
    match help {
        Some(help) => error.hint(help),
        None => error,
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn entity(args: &EntityArgs, manifest: &Manifest, text: &ManifestText<'_>) -> Fixes {
    let name = &args.name;
    if EntityName::new(name.as_str()).is_none() {
        return Err(usage(
            format!("`{name}` is no name of an entity"),
            Some(format!("the rule is {}", EntityName::RULE)),
        ));
    }
    if manifest.entity(name).is_some() {
        return Err(usage(
            format!("there is an entity `{name}` already"),
            Some(format!("erp-plugin add field {name} …")),
        ));
    }
    let shown = args.display_name.clone().unwrap_or_else(|| name.clone());
    let mut block = format!("[[schema.entities]]\nname = \"{name}\"\ndisplay_name = {}", quoted(&shown));
    for field in &args.field {
        let (field, kind) = field.split_once(':').ok_or_else(|| usage(format!("`{field}` is not name:type"), None))?;
        block.push_str(&format!("\n\n{}", field_block(field, kind, &[])?));
    }
    let mut fixes =
        vec![placed(text.add_block(&format!("the entity {name}"), "schema.entities", &block), "schema.entities")?];
    let permissions: Vec<String> = ["list", "manage"]
        .iter()
        .map(|action| permission_block(&format!("{name}.{action}"), &permission_name(manifest, action, &shown)))
        .collect();
    fixes.push(placed(text.add_block("its permissions", "permissions", &permissions.join("\n\n")), "permissions")?);
    if !args.no_page {
        let page = page_block("crud", name, &shown, &[]);
        fixes.push(placed(text.add_block("a crud page", "ui.pages", &page), "ui.pages")?);
    }
    Ok(fixes)
}

fn field(args: &FieldArgs, manifest: &Manifest, text: &ManifestText<'_>) -> Fixes {
    let Some(entity) = manifest.entity(&args.entity) else {
        let known = manifest.schema.entities.iter().map(|entity| entity.name.as_str());
        return Err(usage(format!("there is no entity `{}`", args.entity), did_you_mean(&args.entity, known)));
    };
    if entity.field(&args.name).is_some() {
        return Err(usage(format!("`{}` has a field `{}` already", args.entity, args.name), None));
    }
    let mut lines = Vec::new();
    if let Some(shown) = &args.display_name {
        lines.push(format!("display_name = {}", quoted(shown)));
    }
    for (key, wanted) in [
        ("required", args.required),
        ("unique", args.unique),
        ("searchable", args.searchable),
        ("filterable", args.filterable),
        ("sortable", args.sortable),
    ] {
        if wanted {
            lines.push(format!("{key} = true"));
        }
    }
    if let Some(target) = &args.ref_entity {
        lines.push(format!("ref_entity = {}", quoted(target)));
    }
    if !args.option.is_empty() {
        let option = |option: &String| {
            let (value, label) = option.split_once('=').unwrap_or((option, option));
            format!("{{ value = {}, label = {} }}", quoted(value), quoted(label))
        };
        let options: Vec<String> = args.option.iter().map(option).collect();
        lines.push(format!("options = [{}]", options.join(", ")));
    }
    let block = field_block(&args.name, &args.field_type, &lines)?;
    let table = text.table_where("schema.entities", "name", &args.entity).ok_or_else(|| {
        usage(format!("`{}` is not written as a [[schema.entities]] block: add the field by hand", args.entity), None)
    })?;
    Ok(vec![text.add_block_inside(&format!("the field {}.{}", args.entity, args.name), table, "fields", &block)])
}

fn field_block(name: &str, kind: &str, lines: &[String]) -> Result<String, CommandError> {
    if FieldName::new(name).is_none() {
        return Err(usage(format!("`{name}` is no name of a field"), Some(format!("the rule is {}", FieldName::RULE))));
    }
    if FieldType::from_word(kind).is_none() {
        let known = FieldType::WORDS.iter().copied();
        let all = format!("known: {}", FieldType::WORDS.join(", "));
        return Err(usage(format!("there is no type `{kind}`"), did_you_mean(kind, known).or(Some(all))));
    }
    let rest: String = lines.iter().map(|line| format!("\n{line}")).collect();
    Ok(format!("[[schema.entities.fields]]\nname = \"{name}\"\nfield_type = \"{kind}\"{rest}"))
}

fn page(args: &PageArgs, manifest: &Manifest, text: &ManifestText<'_>) -> Fixes {
    if PageType::from_word(&args.page_type).is_none() {
        let help = did_you_mean(&args.page_type, PageType::WORDS.iter().copied());
        return Err(usage(format!("there is no type of page `{}`", args.page_type), help));
    }
    let shown = manifest.entity(&args.entity).map_or(args.entity.clone(), |entity| entity.display_name.clone());
    let label = args.label.clone().unwrap_or(shown);
    let mut lines = Vec::new();
    if let Some(name) = &args.name {
        lines.push(format!("name = {}", quoted(name)));
    }
    for key in &args.set {
        let (key, value) = key.split_once('=').ok_or_else(|| usage(format!("`{key}` is not KEY=FIELD"), None))?;
        lines.push(format!("{key} = {}", quoted(value)));
    }
    let block = page_block(&args.page_type, &args.entity, &label, &lines);
    let title = format!("a {} page", args.page_type);
    Ok(vec![placed(text.add_block(&title, "ui.pages", &block), "ui.pages")?])
}

fn page_block(kind: &str, entity: &str, label: &str, lines: &[String]) -> String {
    let rest: String = lines.iter().map(|line| format!("\n{line}")).collect();
    format!("[[ui.pages]]\ntype = \"{kind}\"\nentity = \"{entity}\"\nlabel = {}{rest}", quoted(label))
}

/// The name that administrators read: in Chinese if that is the manifest's default locale, else in English.
fn permission_name(manifest: &Manifest, action: &str, entity: &str) -> String {
    let is_chinese = manifest.i18n.default_locale.starts_with("zh");
    match (action, is_chinese) {
        ("list", true) => format!("查看{entity}"),
        (_, true) => format!("管理{entity}"),
        ("list", false) => format!("See {entity}"),
        (_, false) => format!("Manage {entity}"),
    }
}

fn permission(args: &PermissionArgs, manifest: &Manifest, text: &ManifestText<'_>) -> Fixes {
    if manifest.permission(&args.code).is_some() {
        return Err(usage(format!("there is a permission `{}` already", args.code), None));
    }
    let block = permission_block(args.code.as_str(), args.name.as_deref().unwrap_or(args.code.as_str()));
    Ok(vec![placed(text.add_block(&format!("the permission {}", args.code), "permissions", &block), "permissions")?])
}

fn permission_code(text: &str) -> Result<PermissionCode, String> {
    PermissionCode::new(text).ok_or_else(|| "write an entity and an action, such as item.approve".to_owned())
}

fn permission_block(code: &str, name: &str) -> String {
    format!("[[permissions]]\ncode = {}\nname = {}", quoted(code), quoted(name))
}

fn event(args: &EventArgs, manifest: &Manifest, text: &ManifestText<'_>) -> Fixes {
    let name = args.name.as_str();
    if !args.publish {
        if manifest.events.subscribe.iter().any(|known| known.as_str() == name) {
            return Err(usage(format!("the plugin hears `{name}` already"), None));
        }
        let fix = text.add_item(&format!("hears {name}"), "events", "subscribe", name);
        return Ok(vec![placed(fix, "events.subscribe")?]);
    }
    if !is_event_name(name) {
        return Err(usage(format!("`{name}` is no name of an event: write words joined by dots"), None));
    }
    if manifest.events.publishes.iter().any(|event| event.r#type.as_str() == name) {
        return Err(usage(format!("the plugin tells `{name}` already"), None));
    }
    let block = format!("[[events.publishes]]\ntype = \"{name}\"");
    let mut fixes =
        vec![placed(text.add_block(&format!("tells {name}"), "events.publishes", &block), "events.publishes")?];
    if !manifest.capabilities.may_publish(name) {
        let grant = text.add_item("its grant", "capabilities", "publish", name);
        fixes.push(placed(grant, "capabilities.publish")?);
    }
    Ok(fixes)
}

fn node(args: &NodeArgs, manifest: &Manifest, text: &ManifestText<'_>) -> Fixes {
    let kind = args.kind.as_str();
    if manifest.node(kind).is_some() {
        return Err(usage(format!("there is a node `{kind}` already"), None));
    }
    let mut block = format!("[[nodes]]\nkind = {}", quoted(kind));
    match &args.provides {
        Some(what) if Provider::from_word(what).is_none() => {
            let help = format!("known: {}", Provider::WORDS.join(", "));
            return Err(usage(format!("nothing supplies `{what}`"), Some(help)));
        }
        Some(what) => {
            block.push_str(&format!("\ntype = \"supplier\"\nprovides = \"{what}\""));
            block.push_str(&format!("\ninputs = []\noutputs = [\"ai_{what}\"]"));
        }
        None => {
            block.push_str("\ntype = \"executor\"");
            if !args.no_error_port {
                block.push_str("\noutputs = [\"main\", \"error\"]");
            }
        }
    }
    block.push_str(&format!("\ndisplay_name = {}", quoted(args.display_name.as_deref().unwrap_or(kind))));
    for property in &args.property {
        let (name, kind) = property.split_once(':').unwrap_or((property, "string"));
        if FieldName::new(name).is_none() {
            let rule = format!("the rule is {}", FieldName::RULE);
            return Err(usage(format!("`{name}` is no name of a property"), Some(rule)));
        }
        if PropertyKind::from_word(kind).is_none() {
            let help = format!("known: {}", PropertyKind::WORDS.join(", "));
            return Err(usage(format!("there is no kind of property `{kind}`"), Some(help)));
        }
        block.push_str(&format!("\n\n[[nodes.properties]]\nname = \"{name}\"\nkind = \"{kind}\""));
        if kind == PropertyKind::Select.word() {
            block.push_str("\ndynamic_options = true");
        }
    }
    Ok(vec![placed(text.add_block(&format!("the node {kind}"), "nodes", &block), "nodes")?])
}
