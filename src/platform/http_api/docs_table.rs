//! The table of routes for `docs/http-api.md`.

use super::ROUTES;
use super::route::{Access, Route};
use super::shape::RequestShape;

/// Headings with their path prefixes. A route belongs to the first heading with a matching prefix.
const PARTS: [(&str, &[&str]); 7] = [
    ("Plugins", &["/api/v1/admin/plugins"]),
    ("The registry", &["/api/v1/registry"]),
    ("Pages and entities", &["/api/v1/plugin-registry", "/api/v1/plugin-files", "/api/v1/plugins/{plugin}/pages"]),
    ("Rows", &["/api/v1/plugins/"]),
    ("Nodes and processors", &["/api/v1/nodes", "/api/v1/processors"]),
    ("Only on a dev host", &["/_dev"]),
    ("The platform", &["/"]),
];

/// Returns all routes as Markdown tables.
pub fn docs_table() -> String {
    let part_of = |route: &Route| {
        PARTS.iter().position(|(_, paths)| paths.iter().any(|path| route.path.starts_with(path))).unwrap_or(PARTS.len())
    };
    let mut text = String::new();
    for (number, (heading, _)) in PARTS.iter().enumerate() {
        text.push_str(&format!("\n### {heading}\n\n| request | who | query or body | does |\n|---|---|---|---|\n"));
        for route in ROUTES.iter().filter(|route| part_of(route) == number) {
            text.push_str(&line(route));
        }
    }
    text
}

fn line(route: &Route) -> String {
    let who = match route.access {
        Access::Public => "everyone".to_owned(),
        Access::User => "every user".to_owned(),
        Access::Permission(code) => format!("`{code}`"),
        Access::ListEntity => "`{entity}.list`".to_owned(),
        Access::ManageEntity => "`{entity}.manage`".to_owned(),
        Access::Declared => "as the manifest says".to_owned(),
    };
    let mut input: Vec<String> = route.query.iter().map(|key| format!("`{}`", key.name)).collect();
    match route.request {
        RequestShape::Nothing => {}
        RequestShape::Json(shape) => input.push(format!("{{{}}}", shape.word())),
        RequestShape::MayBeJson(shape) => input.push(format!("{{{}}}, optional", shape.word())),
        RequestShape::Rows => input.push("rows".to_owned()),
        RequestShape::Package => input.push("a package".to_owned()),
        RequestShape::Bytes => input.push("bytes".to_owned()),
    }
    let about = if route.about.is_empty() { String::new() } else { format!(". {}", route.about.trim_end_matches('.')) };
    format!("| `{} {}` | {who} | {} | {}{about}. |\n", route.method.word(), route.path, input.join(", "), route.summary)
}
