//! `erp-plugin sql`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use erp_manifest::exit_code::ExitCode;
use erp_store::Database;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::CommandResult;
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::ui::Table;

/// Maximum number of rows that are shown.
const MOST_ROWS: usize = 200;
/// Maximum number of characters that are shown of a value.
const MOST_CHARACTERS: usize = 60;
/// The default statement: the names of all tables, except those of the database itself.
const TABLES: &str =
    "select name as \"table\" from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name";

/// Read the database that a failing case or a dev host left behind
///
/// Nothing is changed: a statement that writes is refused. In a project, its entities are tables of their live rows, and
/// their fields are columns.
#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// The file, such as target/failed/orders.sqlite
    file: PathBuf,
    /// The statement; the names of the tables if it is absent
    statement: Option<String>,
}

/// What a statement gave.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SqlResult {
    ok: bool,
    /// The names of the columns.
    columns: Vec<String>,
    /// The rows, 200 at the most.
    rows: Vec<Vec<Value>>,
}

pub(super) fn run(context: &Context, args: &SqlArgs) -> CommandResult {
    let file = context.path(&args.file);
    let failed = |message: String| CommandError::new(codes::SQL, message);
    let mut database =
        Database::open_to_read(&file).map_err(|error| failed(format!("{}: {error}", context.shown(&file))))?;
    // Outside of a project, or if its manifest is broken, tables have only their own names.
    let manifest = context.open_project().ok().map(|open| Arc::new(open.manifest));
    let catalog = manifest.filter(|manifest| database.has_tables_of(manifest));
    let statement = args.statement.as_deref().unwrap_or(TABLES);
    let (columns, rows) = database
        .inspect(catalog.as_ref(), None, statement, MOST_ROWS)
        .map_err(|error| CommandError::new(codes::USAGE, error.to_string()))?;
    let result = SqlResult { ok: true, columns, rows };
    context.ui.result(&result, || shown(&result));
    if args.statement.is_none() {
        let hint = format!("erp-plugin sql {} \"select * from <table>\"", args.file.display());
        context.ui.status("Next", hint);
    }
    Ok(ExitCode::Ok)
}

fn shown(result: &SqlResult) -> String {
    let mut table = Table::new();
    table.row(result.columns.clone());
    for row in &result.rows {
        table.row(row.iter().map(cell));
    }
    let end = match result.rows.len() {
        0 => "no rows\n".to_owned(),
        MOST_ROWS => format!("the first {MOST_ROWS} rows\n"),
        _ => String::new(),
    };
    format!("{}{end}", table.render())
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "~".to_owned(),
        Value::String(text) => text.replace('\n', "⏎"),
        other => other.to_string(),
    };
    if text.chars().count() <= MOST_CHARACTERS {
        text
    } else {
        text.chars().take(MOST_CHARACTERS - 1).chain(['…']).collect()
    }
}
