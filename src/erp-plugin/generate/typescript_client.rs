//! A client in TypeScript, for `tsc --strict`, Node.js and browsers.

use erp_manifest::Manifest;
use erp_platform::http_api::{ApiEntity, ApiField, ROUTES, ValueKind};

/// The part that all clients share.
const HEAD: &str = include_str!("../../../templates/toolkit/client/head.ts");

/// Returns the client for the entities of a plugin, as one module.
pub fn typescript_client(manifest: &Manifest) -> String {
    let head = HEAD.replace(ROUTES_MARK, &routes());
    let mut text = format!("// The HTTP client of {}. {}\n\n{head}", *manifest.metadata.id, MARK_OF_CLIENT);
    let mut members = String::new();
    let mut made = String::new();
    for entity in ApiEntity::all(manifest) {
        let name = type_name(entity.entity.name.as_str());
        text.push_str(&interfaces(&entity, &name));
        text.push_str(&class(&entity, &name));
        members.push_str(&format!("  readonly {}: {name}Rows;\n", member_name(entity.entity.name.as_str())));
        made.push_str(&format!(
            "    this.{} = new {name}Rows(transport, {});\n",
            member_name(entity.entity.name.as_str()),
            quoted(&entity.path())
        ));
    }
    text.push_str(&format!(
        "\nexport class Client {{\n{members}\n  constructor(options: ClientOptions) {{\n    const transport = new Transport(options);\n{made}  }}\n}}\n"
    ));
    text
}

/// The line of the head that the routes replace.
const ROUTES_MARK: &str = "const ROUTES = {} as const;\n";

/// The HTTP method and the path below an entity's rows, for each operation.
fn routes() -> String {
    let mut text = "const ROUTES = {\n".to_owned();
    for route in ROUTES {
        if let Some(path) = route.below_entity() {
            text.push_str(&format!("  {}: [{}, {}],\n", route.id, quoted(route.method.word()), quoted(path)));
        }
    }
    text.push_str("} as const;\n");
    text
}

/// The notice of a client: only `erp-plugin generate ts` writes it, never a build.
const MARK_OF_CLIENT: &str = "Made by `erp-plugin generate ts`; changes here are overwritten.";

fn interfaces(entity: &ApiEntity<'_>, name: &str) -> String {
    let mut text = format!("\n/** {} */\nexport interface {name} {{\n", comment(&entity.entity.display_name));
    for field in &entity.fields {
        text.push_str(&property(field, if field.field.required { "" } else { "?" }, ""));
    }
    text.push_str(&format!("}}\n\n/** What a new row brings. */\nexport interface {name}Fields {{\n"));
    for field in entity.fields.iter().filter(|field| field.is_writable()) {
        let (mark, or) = match (field.is_required_on_create(), field.field.required) {
            (true, _) => ("", ""),
            (false, true) => ("?", ""),
            (false, false) => ("?", " | null"),
        };
        text.push_str(&property(field, mark, or));
    }
    text.push_str("}\n");
    text
}

fn property(field: &ApiField<'_>, mark: &str, or: &str) -> String {
    let label = comment(field.field.label());
    let description =
        field.field.description.as_deref().map_or_else(String::new, |text| format!(": {}", comment(text)));
    format!("  /** {label}{description} */\n  {}{mark}: {}{or};\n", *field.field.name, type_of(&field.kind))
}

fn class(entity: &ApiEntity<'_>, name: &str) -> String {
    let mut text = format!("\nexport class {name}Rows extends Entity<{name}, {name}Fields> {{");
    for action in entity.actions() {
        text.push_str(&format!(
            "\n  /** {} */\n  {}(id: string, input: Record<string, unknown> = {{}}): Promise<unknown> {{\n    return this.act(id, {}, input);\n  }}\n",
            comment(&action.label),
            action_name(action.name.as_str()),
            quoted(action.name.as_str())
        ));
    }
    if entity.entity.importable {
        text.push_str(&format!(
            "\n  import(rows: {name}Fields[], dryRun = false): Promise<ImportResult> {{\n    return this.bring(rows, dryRun);\n  }}\n"
        ));
    }
    text.push_str("}\n");
    text
}

fn type_of(kind: &ValueKind) -> String {
    match kind {
        ValueKind::Text(_) | ValueKind::Decimal => "string".to_owned(),
        ValueKind::Integer | ValueKind::Float => "number".to_owned(),
        ValueKind::Boolean => "boolean".to_owned(),
        ValueKind::Choice(values) => values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(" | "),
        ValueKind::List(item) => match &**item {
            ValueKind::Choice(_) => format!("({})[]", type_of(item)),
            item => format!("{}[]", type_of(item)),
        },
        ValueKind::Place => "{ lat: number; lng: number }".to_owned(),
        ValueKind::Json => "unknown".to_owned(),
    }
}

/// `purchase_order` → `PurchaseOrder`. Names that the head uses itself get the suffix `Entity`.
fn type_name(name: &str) -> String {
    const TAKEN: [&str; 9] =
        ["Row", "Page", "ListQuery", "ImportResult", "PlatformError", "ClientOptions", "Transport", "Entity", "Client"];
    let name = capitalized(name.split('_'));
    if TAKEN.contains(&name.as_str()) { format!("{name}Entity") } else { name }
}

/// `purchase_order` → `purchaseOrder`.
fn member_name(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    let name = first + &capitalized(words);
    // A property of a class may have any name but this one.
    if name == "constructor" { "constructor_".to_owned() } else { name }
}

fn capitalized<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let one = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>())
    };
    words.map(one).collect()
}

/// The method name of a button; the methods that every entity has keep their names.
fn action_name(name: &str) -> String {
    const TAKEN: [&str; 15] = [
        "list",
        "each",
        "get",
        "create",
        "update",
        "replace",
        "delete",
        "count",
        "aggregate",
        "labels",
        "act",
        "bring",
        "import",
        "transport",
        "path",
    ];
    let member = member_name(name);
    if TAKEN.contains(&member.as_str()) { format!("{member}Action") } else { member }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text that does not end the comment that contains it.
fn comment(text: &str) -> String {
    text.replace("*/", "* /").replace(['\n', '\r'], " ")
}
