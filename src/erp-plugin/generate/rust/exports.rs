//! `erp/exports.rs`: the exports that the host calls, which call the traits that the plugin implements.

use erp_manifest::{Manifest, NodeType};

use super::code::SourceWriter;
use super::entity_names::EntityNames;
use super::events::subscribed;
use super::names::snake;
use super::{ToolkitParts, nodes};

/// The text of the file.
pub(super) fn file(manifest: &Manifest, parts: &ToolkitParts) -> String {
    let mut code = SourceWriter::file("What the host calls, handed to the traits that `crate::Plugin` implements.");
    imports(&mut code, parts);
    code.blank();
    code.doc("What every plugin does. `crate::Plugin` implements it.");
    code.block("pub trait Plugin", |code| {
        code.doc("Called once, when the plugin is enabled. What it keeps in memory is gone with the call.");
        code.block("fn init() -> Result<()>", |code| code.line("Ok(())"));
        if parts.tenants {
            code.blank();
            code.doc("Called for each tenant, when it comes to the plugin.");
            code.block("fn tenant_created(_tenant: &str) -> Result<()>", |code| code.line("Ok(())"));
        }
    });
    if parts.events {
        events_trait(&mut code, manifest);
    }
    if parts.actions {
        actions_trait(&mut code, manifest);
    }
    if parts.processor {
        code.blank();
        code.doc("Bytes in, bytes out.");
        code.block("pub trait Processor", |code| {
            code.doc("Whether `process` would take the request, without doing the work.");
            code.block("fn validate(_request: &Request) -> Result<()>", |code| code.line("Ok(())"));
            code.blank();
            code.doc("Does the work.");
            code.line("fn process(request: Request) -> Result<Response>;");
        });
    }
    if parts.nodes {
        code.blank();
        code.doc("The nodes of the manifest, a function each.");
        code.block("pub trait Nodes", |code| nodes::trait_methods(code, manifest));
    }
    code.blank();
    code.line("struct Exports;");
    code.blank();
    code.line("#[cfg(target_arch = \"wasm32\")]");
    code.line("super::bindings::export!(Exports);");
    base(&mut code, parts);
    if parts.events {
        events(&mut code, manifest);
    }
    if parts.actions {
        actions(&mut code, manifest);
    }
    if parts.processor {
        processor(&mut code);
    }
    if parts.nodes {
        node_exports(&mut code, manifest);
    }
    code.finish()
}

fn imports(code: &mut SourceWriter, parts: &ToolkitParts) {
    if parts.json {
        code.line("use serde_json::Value;");
        code.blank();
    }
    let mut exported = vec!["base"];
    for (is_there, name) in [
        (parts.actions, "actions"),
        (parts.events, "event_handler"),
        (parts.nodes, "nodes as node_exports"),
        (parts.processor, "processor"),
        (parts.tenants, "tenant_hooks"),
    ] {
        exported.extend(is_there.then_some(name));
    }
    code.line("use super::bindings::erp::plugin::types::CallContext;");
    code.line(format!("use super::bindings::exports::erp::plugin::{{{}}};", exported.join(", ")));
    if parts.data {
        code.line("use super::entities;");
        code.line("use super::events;");
        code.line("use super::value::Id;");
    }
    code.line("use super::error::{Error, Result, refuse};");
    code.line("use super::log;");
    if parts.nodes {
        code.line("use super::node::{Choice, Outputs, Run, choices_text};");
        code.line("use super::nodes;");
    }
    if parts.json {
        code.line("use super::value::Fields;");
    }
    if parts.events {
        code.line("pub use event_handler::Event;");
    }
    if parts.processor {
        code.line("pub use processor::{ProcessRequest as Request, ProcessResponse as Response};");
    }
}

fn base(code: &mut SourceWriter, parts: &ToolkitParts) {
    code.blank();
    code.block("impl base::Guest for Exports", |code| {
        code.block("fn init(_: CallContext) -> Result<(), Error>", |code| {
            code.line("log::panics();");
            code.line("<crate::Plugin as Plugin>::init()");
        });
    });
    if parts.tenants {
        code.blank();
        code.block("impl tenant_hooks::Guest for Exports", |code| {
            code.block("fn on_tenant_created(_: CallContext, tenant: String) -> Result<(), Error>", |code| {
                code.line("log::panics();");
                code.line("<crate::Plugin as Plugin>::tenant_created(&tenant)");
            });
        });
    }
}

fn events_trait(code: &mut SourceWriter, manifest: &Manifest) {
    code.blank();
    code.doc("The events that the plugin hears, a function each. An event may come again: every effect asks first whether it has happened.");
    code.block("pub trait Events", |code| {
        for event in subscribed(manifest) {
            code.blank();
            code.doc(&event.name.map_or("Events that only a pattern names.".to_owned(), |name| format!("`{name}`")));
            let payload = event.payload.as_deref().unwrap_or("Fields");
            code.line(format!("fn {}(payload: {payload}, event: &Event) -> Result<()>;", snake(&event.method)));
        }
    });
}

fn events(code: &mut SourceWriter, manifest: &Manifest) {
    code.blank();
    code.block("impl event_handler::Guest for Exports", |code| {
        code.block("fn handle_event(_: CallContext, event: Event) -> Result<(), Error>", |code| {
            code.line("log::panics();");
            let all = subscribed(manifest);
            if all.is_empty() {
                code.line("Err(refuse(\"plugin.unknown_event\", event.event_type))");
                return;
            }
            code.line("let payload = Fields::parse(&event.payload)?;");
            code.block("match event.event_type.as_str()", |code| {
                for event in &all {
                    let payload = match &event.payload {
                        Some(name) => format!("{name}::read(&payload)?"),
                        None => "payload".to_owned(),
                    };
                    let pattern = event.name.map_or("_".to_owned(), |name| format!("{name:?}"));
                    code.line(format!(
                        "{pattern} => <crate::Plugin as Events>::{}({payload}, &event),",
                        snake(&event.method)
                    ));
                }
                if all.iter().all(|event| event.name.is_some()) {
                    code.line("other => Err(refuse(\"plugin.unknown_event\", format!(\"nobody hears `{other}`\"))),");
                }
            });
        });
    });
}

/// The handlers of migrations that are not buttons too.
fn handlers(manifest: &Manifest) -> Vec<&str> {
    let mut names: Vec<&str> =
        manifest.migrations.iter().filter_map(|migration| Some(migration.handler.as_ref()?.as_str())).collect();
    names.retain(|name| manifest.ui.actions.iter().all(|action| action.name.as_str() != *name));
    names.sort_unstable();
    names.dedup();
    names
}

fn actions_trait(code: &mut SourceWriter, manifest: &Manifest) {
    code.blank();
    code.doc("The buttons of the manifest, a function each. What it gives is what the button's caller gets.");
    let names = EntityNames::of(manifest);
    code.block("pub trait Actions", |code| {
        for action in &manifest.ui.actions {
            code.blank();
            code.doc(&action.label);
            let id = format!("Id<entities::{}>", names.row(action.entity.as_str()));
            code.line(format!("fn {}(id: {id}, input: Fields) -> Result<Value>;", snake(action.name.as_str())));
        }
        for handler in handlers(manifest) {
            code.blank();
            code.doc("Called by a migration, for each tenant.");
            code.line(format!("fn {}(input: Fields) -> Result<Value>;", snake(handler)));
        }
    });
}

fn actions(code: &mut SourceWriter, manifest: &Manifest) {
    code.blank();
    code.block("impl actions::Guest for Exports", |code| {
        code.block("fn invoke(_: CallContext, action: String, input: String) -> Result<String, Error>", |code| {
            code.line("log::panics();");
            code.line("let input = Fields::parse(&input)?;");
            code.block_ending("let result: Result<Value> = match action.as_str()", "};", |code| {
                for action in &manifest.ui.actions {
                    let (name, method) = (action.name.as_str(), snake(action.name.as_str()));
                    code.line(format!("{name:?} => <crate::Plugin as Actions>::{method}(input.get(\"id\")?, input),"));
                }
                for handler in handlers(manifest) {
                    code.line(format!("{handler:?} => <crate::Plugin as Actions>::{}(input),", snake(handler)));
                }
                code.line(
                    "other => Err(refuse(\"plugin.unknown_action\", format!(\"there is no action `{other}`\"))),",
                );
            });
            code.line("result.map(|result| result.to_string())");
        });
    });
}

fn processor(code: &mut SourceWriter) {
    code.blank();
    code.block("impl processor::Guest for Exports", |code| {
        code.block("fn validate(_: CallContext, request: Request) -> Result<(), Error>", |code| {
            code.line("log::panics();");
            code.line("<crate::Plugin as Processor>::validate(&request)");
        });
        code.blank();
        code.block("fn process(_: CallContext, request: Request) -> Result<Response, Error>", |code| {
            code.line("log::panics();");
            code.line("<crate::Plugin as Processor>::process(request)");
        });
    });
}

fn node_exports(code: &mut SourceWriter, manifest: &Manifest) {
    let all = nodes::named(manifest);
    code.blank();
    code.doc("A node that was set up; it runs once.");
    code.block("pub struct Placed", |code| {
        code.line("kind: String,");
        code.line("version: String,");
        code.line("parameters: Fields,");
    });
    code.blank();
    code.block("impl Placed", |code| {
        code.block("fn new(kind: String, version: String, parameters: &str) -> Result<Placed>", |code| {
            code.line("Ok(Placed { parameters: Fields::parse(parameters)?, kind, version })");
        });
        code.blank();
        code.block("fn unknown<T>(&self) -> Result<T>", |code| {
            code.line("Err(refuse(\"node.unknown\", format!(\"there is no node `{}`\", self.kind)))");
        });
    });
    code.blank();
    code.block("impl node_exports::Guest for Exports", |code| {
        code.line("type Executor = Placed;");
        code.line("type Supplier = Placed;");
        code.blank();
        code.block("fn get_node_definitions() -> Result<String, Error>", |code| {
            code.line("Ok(nodes::DEFINITIONS.to_owned())");
        });
        code.blank();
        code.block(
            "fn load_options(kind: String, _version: String, property: String, parameters: String) -> Result<String, Error>",
            |code| {
                code.line("log::panics();");
                if manifest.nodes.iter().any(|node| node.properties.iter().any(|property| property.dynamic_options)) {
                    code.line("let parameters = Fields::parse(&parameters)?;");
                    code.line("<crate::Plugin as Nodes>::options(&kind, &property, &parameters).map(|all| choices_text(&all))");
                } else {
                    code.line("let _ = parameters;");
                    code.line("Err(refuse(\"node.unknown\", format!(\"`{property}` of `{kind}` has no options of its own\")))");
                }
            },
        );
    });
    for (wanted, guest, resource, call, gives) in [
        (NodeType::Executor, "GuestExecutor", "Executor", "execute", "Vec<node_exports::PortOutput>"),
        (NodeType::Supplier, "GuestSupplier", "Supplier", "supply", "String"),
    ] {
        let is_executor = wanted == NodeType::Executor;
        code.blank();
        code.block(format!("impl node_exports::{guest} for Placed"), |code| {
            let set_up = "kind: String, version: String, parameters: String";
            code.block(format!("fn create({set_up}) -> Result<node_exports::{resource}, Error>"), |code| {
                code.line("log::panics();");
                code.line(format!("Ok(node_exports::{resource}::new(Placed::new(kind, version, &parameters)?))"));
            });
            code.blank();
            let given = if is_executor {
                "context: node_exports::NodeContext, input: String"
            } else {
                "context: node_exports::NodeContext"
            };
            code.block(format!("fn {call}(&self, {given}) -> Result<{gives}, Error>"), |code| {
                code.line(format!(
                    "let run = Run::new(&self.version, context, {})?;",
                    if is_executor { "&input" } else { "\"{}\"" }
                ));
                let own: Vec<_> = all.iter().filter(|(node, _)| *node.r#type == wanted).collect();
                code.block("match self.kind.as_str()", |code| {
                    for (node, name) in own {
                        let read = format!("nodes::{}::read(&self.parameters)?", name.parameters);
                        let map = if is_executor {
                            "map(Outputs::into_ports)"
                        } else {
                            "map(|supplied| supplied.to_string())"
                        };
                        code.block_ending(format!("{:?} =>", node.kind.as_str()), "}", |code| {
                            code.line(format!("let parameters = {read};"));
                            code.line(format!(
                                "<crate::Plugin as Nodes>::{}(parameters, &run).{map}",
                                snake(&name.method)
                            ));
                        });
                    }
                    code.line("_ => self.unknown(),");
                });
            });
        });
    }
}
