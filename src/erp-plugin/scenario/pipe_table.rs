//! Reads aligned tables between pipes.

use erp_manifest::diagnostics::{SourceFile, Span};
use erp_manifest::document::{Entry, Node, NodeValue};
use erp_manifest::{BaseType, Entity};
use serde_json::Value;

/// Reads a table into rows, typed by the entity's fields. `text` is the string's value and `span` its place with its
/// quotes. Where `source` contains the same text at that place, each cell has its own span.
pub(super) fn read(
    text: &str,
    span: &Span,
    source: &SourceFile,
    entity: Option<&Entity>,
) -> Result<Vec<Node>, (Span, String)> {
    let inner = source.inner_start(span, text);
    let place = |offset: usize, length: usize| match inner {
        Some(start) => start + offset..start + offset + length,
        None => span.clone(),
    };
    let mut lines = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            lines.push((offset, line));
        }
        offset += line.len();
    }
    let mut rows = lines.into_iter().map(|(offset, line)| {
        let trimmed = line.trim();
        let start = offset + (line.len() - line.trim_start().len());
        let cells = trimmed.strip_prefix('|').and_then(|rest| rest.strip_suffix('|'));
        let cells = cells.ok_or_else(|| (place(start, trimmed.len()), "a row begins and ends with `|`".to_owned()))?;
        let mut at = start + 1;
        Ok(cells
            .split('|')
            .map(|cell| {
                let lead = cell.len() - cell.trim_start().len();
                let found = (cell.trim().to_owned(), place(at + lead, cell.trim().len()));
                at += cell.len() + 1;
                found
            })
            .collect::<Vec<(String, Span)>>())
    });
    let Some(header) = rows.next().transpose()? else { return Ok(Vec::new()) };
    rows.map(|row| {
        let row = row?;
        if row.len() != header.len() {
            let span = row.first().map_or_else(|| span.clone(), |(_, span)| span.clone());
            return Err((
                span,
                format!("this row has {} cells, the head of the table has {}", row.len(), header.len()),
            ));
        }
        let mut entries = Vec::new();
        for ((name, name_span), (cell, cell_span)) in header.iter().zip(row) {
            if cell == "~" {
                continue;
            }
            let node =
                Node { span: cell_span.clone(), value: typed(name, &cell, entity).map_err(|why| (cell_span, why))? };
            entries.push(Entry { key: name.clone(), key_span: name_span.clone(), node });
        }
        let row_span = entries.first().map_or_else(|| span.clone(), |entry| entry.node.span.clone());
        Ok(Node { span: row_span, value: NodeValue::Table(entries) })
    })
    .collect()
}

/// The value of a cell, by the type of its field; a matcher or a reference stays text.
fn typed(name: &str, cell: &str, entity: Option<&Entity>) -> Result<NodeValue, String> {
    let text = || NodeValue::String(cell.to_owned());
    if cell.starts_with('<') || cell.starts_with('@') {
        return Ok(text());
    }
    if name == "version" {
        return cell.parse().map(NodeValue::Integer).map_err(|_| format!("`{cell}` is no version"));
    }
    let Some(field) = entity.and_then(|entity| entity.field(name)) else { return Ok(text()) };
    match field.field_type.base() {
        BaseType::Integer => cell.parse().map(NodeValue::Integer).map_err(|_| format!("`{cell}` is no whole number")),
        BaseType::Float => cell.parse().map(NodeValue::Float).map_err(|_| format!("`{cell}` is no number")),
        BaseType::Boolean => cell.parse().map(NodeValue::Boolean).map_err(|_| format!("`{cell}` is not true or false")),
        BaseType::Json => {
            let value: Value = serde_json::from_str(cell).map_err(|error| format!("`{cell}` is not JSON: {error}"))?;
            Ok(Node::from_json(&value).value)
        }
        _ => Ok(text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_places_and_tildes_leave_values_out() {
        let source = "rows = '''\n  | sku | 名称 |\n  | A-1 | ~ |\n'''";
        let span = 7..source.len();
        let text = "  | sku | 名称 |\n  | A-1 | ~ |\n";
        let rows = read(text, &span, &SourceFile::new("x", source), None).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].to_json().to_string(), r#"{"sku":"A-1"}"#);
        assert_eq!(&source[rows[0].entries()[0].node.span.clone()], "A-1");
        assert!(read("| a | b |\n| 1 |", &(0..0), &SourceFile::new("x", ""), None).is_err());
    }
}
