//! The table of routes: complete, without duplicates, and usable by clients and generators.

use std::collections::BTreeSet;
use std::process::Command;

use erp_platform::http_api::{
    BodyShape, Effect, HostOperation, Method, Operation, PlatformOperation, ROUTES, RequestBody, find, schemas,
};
use serde_json::Value;

use crate::support::{Sandbox, expect_file, repository};

#[test]
fn every_operation_has_a_route_and_every_route_a_name_and_a_sentence_of_its_own() {
    let routed: BTreeSet<Operation> = ROUTES.iter().map(|route| route.operation).collect();
    let platform = PlatformOperation::ALL.iter().map(|operation| Operation::Platform(*operation));
    let host = HostOperation::ALL.iter().map(|operation| Operation::DevHost(*operation));
    let forgotten: Vec<Operation> = platform.chain(host).filter(|operation| !routed.contains(operation)).collect();
    assert!(forgotten.is_empty(), "without a route: {forgotten:?}");
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    let named = schemas();
    for route in ROUTES {
        assert!(ids.insert(route.id), "{} twice", route.id);
        assert!(places.insert((route.method, route.path)), "{} {} twice", route.method.word(), route.path);
        let sentence = route.summary;
        assert!(sentence.starts_with(char::is_uppercase) && !sentence.ends_with('.'), "{}: `{sentence}`", route.id);
        let body = match route.request {
            RequestBody::Json(shape) | RequestBody::MayBeJson(shape) => Some(shape),
            _ => None,
        };
        for shape in [Some(route.answer), body].into_iter().flatten() {
            if let BodyShape::Named(name) | BodyShape::ListOf(name) = shape {
                assert!(named.contains_key(name), "{}: no schema `{name}`", route.id);
            }
        }
        // Each route is found by its own path, whatever the parameters are.
        let path = route.path.replace(['{', '}'], "").replace("...", "");
        let found = find(route.method.word(), &path).map(|found| found.route.id);
        assert_eq!(found, Some(route.id), "{path}");
    }
}

#[test]
fn what_the_platform_thread_does_is_known_by_name() {
    let one_thread: Vec<&str> =
        ROUTES.iter().filter(|route| route.effect == Effect::ChangesPlatform).map(|route| route.id).collect();
    // None of these calls a plugin. The effect of a route that does must say so.
    let known = [
        "registry.revoke",
        "registry.rotate",
        "dev.scenario",
        "dev.frame",
        "dev.config",
        "dev.add_fault",
        "dev.clear_faults",
        "dev.set_clock",
        "dev.set_limits",
        "dev.set_quirks",
    ];
    assert_eq!(one_thread, known);
    // A route with the method GET only reads.
    for route in ROUTES.iter().filter(|route| route.method == Method::Get) {
        assert!(route.effect.only_reads(), "{}", route.id);
    }
}

#[test]
fn words_in_the_place_of_an_entity_are_reserved() {
    let words: BTreeSet<&str> = ROUTES
        .iter()
        .filter_map(|route| route.path.strip_prefix("/api/v1/plugins/{plugin}/"))
        .filter_map(|rest| rest.split('/').next())
        .filter(|word| !word.starts_with('{'))
        .collect();
    assert_eq!(words, BTreeSet::from(erp_manifest::RESERVED_ENTITIES));
}

/// Returns the API calls in a module of the console, each with its method, if that is known, and its path. They are
/// string literals and templates that begin like a path of the API.
fn paths_of(text: &str) -> Vec<(Option<String>, String)> {
    let mut found = Vec::new();
    for begin in ["/api/v1/", "/_dev/"] {
        for (at, _) in text.match_indices(begin) {
            let Some(quote) = text[..at].chars().next_back().filter(|quote| "\"`'".contains(*quote)) else { continue };
            let Some(end) = text[at..].find(quote) else { continue };
            let path = &text[at..at + end];
            // `${…}` stands for one segment; the query comes after `?`.
            let mut plain = String::new();
            let mut rest = path;
            while let Some((before, after)) = rest.split_once("${") {
                plain.push_str(before);
                // After a word, `${…}` stands for a query.
                if before.ends_with(|last: char| last.is_ascii_alphanumeric()) {
                    rest = "";
                    break;
                }
                plain.push('x');
                let mut depth = 1;
                let close = after.char_indices().find(|(_, c)| {
                    depth += i32::from(*c == '{') - i32::from(*c == '}');
                    depth == 0
                });
                rest = close.map_or("", |(close, _)| &after[close + 1..]);
            }
            plain.push_str(rest);
            let plain = plain.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
            let before = text[..at - 1].trim_end().trim_end_matches(',').trim_end();
            let method = ["GET", "POST", "PUT", "PATCH", "DELETE"]
                .into_iter()
                .find(|method| before.ends_with(&format!("\"{method}\"")));
            found.push((method.map(str::to_owned), plain));
        }
    }
    found
}

#[test]
fn the_console_asks_for_nothing_that_no_route_answers() {
    let mut asked = 0;
    let mut folders = vec![repository().join("src/erp-plugin/dev_host/console")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("vendor") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "js") {
                let text = std::fs::read_to_string(&path).unwrap();
                for (method, asks) in paths_of(&text) {
                    let methods: Vec<&str> = method
                        .as_deref()
                        .map_or_else(|| vec!["GET", "POST", "PUT", "PATCH", "DELETE"], |one| vec![one]);
                    let known = methods.iter().any(|method| find(method, &asks).is_some());
                    assert!(known, "{}: {method:?} {asks}", path.display());
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 20, "only {asked} paths were found: is the test looking at the right files?");
}

#[test]
fn generators_take_every_operation_of_the_document() {
    let sandbox = Sandbox::with_template("pages");
    sandbox.run(&["-C", "erp-demo", "generate", "openapi", "-o", "../openapi.json"]).succeeded();
    let text = String::from_utf8(sandbox.read("openapi.json")).unwrap();
    expect_file(&repository().join("tests/snapshots/openapi.json"), &text);
    let document: Value = serde_json::from_str(&text).unwrap();
    let operations: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    assert!(operations.len() > 60, "{}", operations.len());

    let tools = repository().join("target/test-tools/openapi/bin");
    let run = |command: &mut Command| {
        let output = command.current_dir(sandbox.path(".")).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}");
        said
    };
    run(Command::new(tools.join("openapi-spec-validator")).arg("openapi.json"));
    // Its formatter is a separate program.
    sandbox.write("config.yaml", "post_hooks: []\n");
    let made = ["generate", "--path", "openapi.json", "--output-path", "client", "--config", "config.yaml"];
    let said = run(Command::new(tools.join("openapi-python-client")).args(made));
    assert!(!said.to_lowercase().contains("warning"), "{said}");
    let mut modules = 0;
    let mut folders = vec![sandbox.path("client")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains("/api/") && !path.ends_with("__init__.py") {
                modules += 1;
            }
        }
    }
    assert_eq!(modules, operations.len(), "each operation has a module");
    let typescript = repository().join("tests/openapi/node_modules/.bin/openapi-typescript");
    run(Command::new(typescript).args(["openapi.json", "-o", "openapi.ts"]));
    let types = String::from_utf8(sandbox.read("openapi.ts")).unwrap();
    // The list of operations has a key for each of them.
    let is_there = |id: &str| types.contains(&format!("    \"{id}\": {{")) || types.contains(&format!("    {id}: {{"));
    let dropped: Vec<&&str> = operations.iter().filter(|id| !is_there(id)).collect();
    assert!(dropped.is_empty(), "{dropped:?}");
}
