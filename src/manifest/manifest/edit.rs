//! Additions to the text of a manifest. A new block or item goes next to similar ones. Comments, order and layout of
//! everything else do not change.

use crate::diagnostics::{Edit, Fix, SourceFile, Span};
use crate::document::{Node, NodeValue};

/// The text of a manifest, with the positions of its table headers.
#[derive(Debug)]
pub struct ManifestText<'a> {
    source: &'a SourceFile,
    root: &'a Node,
    /// The byte offsets of the table headers, sorted.
    headers: Vec<usize>,
}

impl<'a> ManifestText<'a> {
    /// Collects the table headers. `root` must be the result of `document::parse` for `source`.
    pub fn new(source: &'a SourceFile, root: &'a Node) -> ManifestText<'a> {
        let mut headers = Vec::new();
        collect_headers(source.text(), root, &mut headers);
        headers.sort_unstable();
        headers.dedup();
        ManifestText { source, root, headers }
    }

    /// Adds a block after the last table of the array at `path` (`schema.entities`) and after the sub-tables of that
    /// table. Without such an array, the block goes to the end of the file. `None` if the tables are written inline.
    pub fn add_block(&self, title: &str, path: &str, block: &str) -> Option<Fix> {
        match self.node(path) {
            None => Some(Fix::append(title, self.source, block)),
            Some(node) => Some(self.insert_behind(title, self.last_header(node)?, block)),
        }
    }

    /// Adds a block after the last sub-table of `table` at `inner`, or after the keys of `table` if it has none.
    pub fn add_block_inside(&self, title: &str, table: &Node, inner: &str, block: &str) -> Fix {
        let last = table.get(inner).and_then(|node| self.last_header(node)).unwrap_or(table.span.start);
        self.insert_behind(title, last, block)
    }

    /// Adds an item to the list of texts `key` in the table at `path`. Creates the key or the table if it is missing.
    /// `None` if the list has a form that this function cannot edit.
    pub fn add_item(&self, title: &str, path: &str, key: &str, item: &str) -> Option<Fix> {
        let line = format!("{key} = [\"{item}\"]");
        let Some(table) = self.node(path) else {
            return Some(Fix::append(title, self.source, &format!("[{path}]\n{line}")));
        };
        let Some(list) = table.get(key) else {
            if self.is_header(&table.span) {
                return Fix::insert_line_after(title, self.source, &table.span, &line);
            }
            // The table exists only through its sub-tables: insert its own header before theirs.
            let mut inside = Vec::new();
            collect_headers(self.source.text(), table, &mut inside);
            let first = inside.into_iter().min()?;
            return Some(Fix::insert(title, first, format!("[{path}]\n{line}\n\n")));
        };
        let NodeValue::Array(items) = &list.value else { return None };
        Some(match items.last() {
            None => Fix::replace(title, list.span.clone(), format!("[\"{item}\"]")),
            Some(last) => Fix { title: title.to_owned(), edits: self.behind_the_last(&list.span, &last.span, item) },
        })
    }

    /// Appends an item to a list. In a list of several lines the item gets its own line, with the same indent, after
    /// the comment of the previous line.
    fn behind_the_last(&self, list: &Span, last: &Span, item: &str) -> Vec<Edit> {
        let text = self.source.text();
        let line_start = text[..last.start].rfind('\n').map_or(0, |at| at + 1);
        let indent = &text[line_start..last.start];
        let insert = |at: usize, text: String| Edit { span: at..at, text };
        if line_start <= list.start || !indent.trim().is_empty() {
            return vec![insert(last.end, format!(", \"{item}\""))];
        }
        let line_end = text[last.end..].find(['\r', '\n']).map_or(text.len(), |at| last.end + at);
        let has_comma = text[last.end..line_end].trim_start().starts_with(',');
        let closes_here = text[last.end..line_end].contains(']') && !text[last.end..line_end].contains('#');
        if closes_here {
            return vec![insert(last.end, format!(",\n{indent}\"{item}\""))];
        }
        let mut edits = Vec::new();
        if !has_comma {
            edits.push(insert(last.end, ",".to_owned()));
        }
        let comma = if has_comma { "," } else { "" };
        edits.push(insert(line_end, format!("\n{indent}\"{item}\"{comma}")));
        edits
    }

    /// The table of the array at `path` whose `key` has this value; `None` if it is written inline.
    pub fn table_where(&self, path: &str, key: &str, value: &str) -> Option<&'a Node> {
        let NodeValue::Array(items) = &self.node(path)?.value else { return None };
        let found = items.iter().find(|item| item.get(key).and_then(Node::as_str) == Some(value));
        found.filter(|table| self.is_header(&table.span))
    }

    fn node(&self, path: &str) -> Option<&'a Node> {
        path.split('.').try_fold(self.root, |node, key| node.get(key))
    }

    fn is_header(&self, span: &Span) -> bool {
        self.headers.binary_search(&span.start).is_ok()
    }

    /// The byte offset of the last table header inside a node.
    fn last_header(&self, node: &Node) -> Option<usize> {
        let mut inside = Vec::new();
        collect_headers(self.source.text(), node, &mut inside);
        inside.into_iter().max()
    }

    /// Inserts a block after the one whose header begins at `header`, before the comments of the next block.
    fn insert_behind(&self, title: &str, header: usize, block: &str) -> Fix {
        let text = self.source.text();
        let next = self.headers.iter().copied().find(|other| *other > header).unwrap_or(text.len());
        let mut end = header;
        let mut at = header;
        for line in text[header..next].split_inclusive('\n') {
            at += line.len();
            let is_content = !line.trim().is_empty() && !line.trim_start().starts_with('#');
            if is_content {
                end = at - (line.len() - line.trim_end().len());
            }
        }
        Fix { title: title.to_owned(), edits: vec![Edit { span: end..end, text: format!("\n\n{block}") }] }
    }
}

/// Collects the byte offsets of the headers of a node's tables. Inline tables have none.
fn collect_headers(text: &str, node: &Node, headers: &mut Vec<usize>) {
    match &node.value {
        NodeValue::Table(entries) => {
            if text[node.span.start.min(text.len())..].starts_with('[') {
                headers.push(node.span.start);
            }
            for entry in entries {
                collect_headers(text, &entry.node, headers);
            }
        }
        NodeValue::Array(items) => {
            for item in items.iter().filter(|item| matches!(item.value, NodeValue::Table(_))) {
                collect_headers(text, item, headers);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Diagnostic, Report, apply_fixes};
    use crate::document;
    use crate::document::codes::INVALID_VALUE;

    const TEXT: &str = "# mine
[schema] # tables
[[schema.entities]]
name = \"a\"

[[schema.entities.fields]]
name = \"x\" # the x

# the second one
[[schema.entities]]
name = \"b\"

# pages
[ui]
list = [
  \"one\", # the first
]
";

    fn added(fix: impl FnOnce(&ManifestText<'_>) -> Fix) -> String {
        let source = SourceFile::new("plugin.toml", TEXT);
        let (root, _) = document::parse(&source);
        let fix = fix(&ManifestText::new(&source, &root));
        let mut report = Report::new();
        report.push(Diagnostic::new(INVALID_VALUE, "").in_source(&source).fixed_by(fix));
        apply_fixes(&source, &report).0
    }

    #[test]
    fn blocks_come_beside_their_like_and_comments_stay_where_they_are() {
        let text = added(|text| text.add_block("", "schema.entities", "[[schema.entities]]\nname = \"c\"").unwrap());
        assert!(text.contains("name = \"b\"\n\n[[schema.entities]]\nname = \"c\"\n\n# pages\n[ui]"), "{text}");
        let text = added(|text| {
            let table = text.table_where("schema.entities", "name", "a").unwrap();
            text.add_block_inside("", table, "fields", "[[schema.entities.fields]]\nname = \"y\"")
        });
        assert!(text.contains("# the x\n\n[[schema.entities.fields]]\nname = \"y\"\n\n# the second one\n"), "{text}");
        let text = added(|text| text.add_item("", "ui", "list", "two").unwrap());
        assert!(text.contains("  \"one\", # the first\n  \"two\",\n]"), "{text}");
        let text = added(|text| text.add_item("", "ui", "other", "two").unwrap());
        assert!(text.contains("[ui]\nother = [\"two\"]\nlist"), "{text}");
        let text = added(|text| text.add_item("", "events", "subscribe", "a.*").unwrap());
        assert!(text.ends_with("]\n\n[events]\nsubscribe = [\"a.*\"]\n"), "{text}");
    }
}
