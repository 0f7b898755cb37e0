//! `erp-plugin schema`.

use clap::Args;
use erp_manifest::diagnostics::SourceFile;
use erp_manifest::document::{self, FromToml, did_you_mean};
use erp_manifest::exit_code::ExitCode;
use erp_manifest::expression::{FUNCTIONS, Function};
use erp_manifest::{FieldType, Manifest, RESERVED_KEYS};
use schemars::schema_for;
use serde_json::{Value, json};

use super::{
    CommandResult, add, bench, build, call, check, demo, dev, doctor, explain, generate, host, inspect, key, login,
    migrate, new, node, pack, publish, replay, seed, sign, sql, test, verify, version, wit, workspace,
};
use crate::command_error::{CommandError, FailureJson, codes};
use crate::context::Context;
use crate::scenario::{self, ScenarioFile};

/// Print a JSON Schema: of plugin.toml, of scenarios, or of what a command prints with --format json
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// `manifest`, `scenario`, `functions` (those of expressions), the name of a command such as `key-new`, or `failure`: what every command
    /// prints where it could not do its work
    name: String,
}

pub(super) fn run(context: &Context, args: &SchemaArgs) -> CommandResult {
    let schemas = schemas();
    let Some((_, schema)) = schemas.iter().find(|(name, _)| *name == args.name) else {
        let help = did_you_mean(&args.name, schemas.iter().map(|(name, _)| *name));
        let known: Vec<&str> = schemas.iter().map(|(name, _)| *name).collect();
        let error = CommandError::new(codes::USAGE, format!("there is no schema `{}`", args.name));
        return Err(error.hint(help.unwrap_or_else(|| format!("known: {}", known.join(", ")))));
    };
    let mut schema = schema.clone();
    take_sizes(&mut schema);
    context.ui.raw_result(&format!("{schema:#}\n"));
    Ok(ExitCode::Ok)
}

/// Removes the sizes of numbers, such as `uint64`: they are no formats of JSON Schema, and strict validators refuse
/// them.
fn take_sizes(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let is_size = |format: &str| format.trim_start_matches('u').starts_with("int") || format == "double";
            if fields.get("format").and_then(Value::as_str).is_some_and(is_size) {
                fields.remove("format");
            }
            fields.values_mut().for_each(take_sizes);
        }
        Value::Array(items) => items.iter_mut().for_each(take_sizes),
        _ => {}
    }
}

fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("manifest", manifest_schema()),
        ("scenario", editor_schema("A file of scenarios", ScenarioFile::json_schema(), scenario::EXAMPLES)),
        ("new", schema_for!(new::NewResult).to_value()),
        ("init", schema_for!(new::NewResult).to_value()),
        ("add", schema_for!(add::AddResult).to_value()),
        ("generate", schema_for!(generate::GenerateResult).to_value()),
        ("build", schema_for!(build::BuildResult).to_value()),
        ("check", schema_for!(check::CheckResult).to_value()),
        ("test", schema_for!(test::TestResult).to_value()),
        ("call", schema_for!(call::CallResult).to_value()),
        ("dev", schema_for!(dev::DevResult).to_value()),
        ("node-list", schema_for!(node::NodeListResult).to_value()),
        ("node-run", schema_for!(node::NodeRunResult).to_value()),
        ("workspace", schema_for!(workspace::WorkspaceResult).to_value()),
        ("bench", schema_for!(bench::BenchResult).to_value()),
        ("replay", schema_for!(replay::ReplayResult).to_value()),
        ("sql", schema_for!(sql::SqlResult).to_value()),
        ("seed", schema_for!(seed::SeedResult).to_value()),
        ("migrate-diff", schema_for!(migrate::DiffResult).to_value()),
        ("migrate-plan", schema_for!(migrate::PlanResult).to_value()),
        ("migrate-semver", schema_for!(migrate::SemverResult).to_value()),
        ("migrate-rehearse", schema_for!(migrate::RehearseResult).to_value()),
        ("migrate-apply", schema_for!(migrate::ApplyResult).to_value()),
        ("migrate-status", schema_for!(migrate::StatusResult).to_value()),
        ("migrate-rollback", schema_for!(migrate::RollbackResult).to_value()),
        ("wit-list", schema_for!(wit::WitListResult).to_value()),
        ("wit-export", schema_for!(wit::WitExportResult).to_value()),
        ("wit-diff", schema_for!(wit::WitDiffResult).to_value()),
        ("wit-targets", schema_for!(wit::WitTargetsResult).to_value()),
        ("host", schema_for!(host::HostAnswer).to_value()),
        ("inspect", schema_for!(inspect::InspectResult).to_value()),
        ("inspect-structure", schema_for!(inspect::StructureResult).to_value()),
        ("pack", schema_for!(pack::PackResult).to_value()),
        ("key-new", schema_for!(key::KeyNewResult).to_value()),
        ("key-list", schema_for!(key::KeyListResult).to_value()),
        ("key-export", schema_for!(key::KeyExportResult).to_value()),
        ("key-import", schema_for!(key::KeyImportResult).to_value()),
        ("key-rotate", schema_for!(key::KeyRotateResult).to_value()),
        ("key-revoke", schema_for!(key::KeyRevokeResult).to_value()),
        ("key-trust", schema_for!(key::KeyTrustResult).to_value()),
        ("sign", schema_for!(sign::SignResult).to_value()),
        ("verify", schema_for!(verify::VerifyResult).to_value()),
        ("version", schema_for!(version::VersionResult).to_value()),
        ("login", schema_for!(login::LoginResult).to_value()),
        ("publish", schema_for!(publish::PublishResult).to_value()),
        ("demo", schema_for!(demo::DemoResult).to_value()),
        ("doctor", schema_for!(doctor::DoctorResult).to_value()),
        ("explain", schema_for!(explain::ExplainResult).to_value()),
        ("functions", functions()),
        ("failure", schema_for!(FailureJson).to_value()),
    ]
}

fn manifest_schema() -> Value {
    let mut schema = editor_schema("plugin.toml", Manifest::json_schema(), erp_manifest::EXAMPLES);
    let reserved =
        RESERVED_KEYS.iter().map(|(table, key, purpose)| json!({ "table": table, "key": key, "for": purpose }));
    schema["x-reserved"] = reserved.collect();
    let field_types = FieldType::WORDS.iter().filter_map(|word| FieldType::from_word(word));
    schema["x-field-types"] = field_types
        .map(|field_type| json!({ "type": field_type.word(), "holds": field_type.meaning(), "example": field_type.example() }))
        .collect();
    schema
}

/// The functions of expressions, for the documentation and for editors.
fn functions() -> Value {
    let one = |function: &Function| {
        let mut takes: Vec<String> = function.takes.iter().map(ToString::to_string).collect();
        if function.repeats {
            takes.push("…".to_owned());
        }
        let signature = format!("{}({})", function.name, takes.join(", "));
        json!({ "name": function.name, "signature": signature, "gives": function.gives.to_string(), "meaning": function.meaning })
    };
    FUNCTIONS.iter().map(one).collect()
}

/// A schema for editors; `examples` is a document with every key.
fn editor_schema(title: &str, mut schema: Value, examples: &str) -> Value {
    let examples = document::parse(&SourceFile::new("examples.toml", examples)).0.to_json();
    document::add_examples(&mut schema, &examples);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!(title);
    schema
}
