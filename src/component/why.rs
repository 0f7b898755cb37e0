//! Why a component has an import: the path from a function that the host calls to the import.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::module::{Module, ModuleFunction};

/// The cost of an indirect call; a direct call costs 1. Which function an indirect call reaches is a guess.
const GUESS: u32 = 1_000;

/// The call path to an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReason {
    /// The imported function, such as `get-environment`.
    pub function: String,
    /// Names of the functions on the path, the one that the host calls first; empty if names were stripped.
    pub path: Vec<String>,
    /// The crate of the last function on the path outside of the standard library.
    pub crate_name: Option<String>,
    /// True if the path contains an indirect call, so that it is only likely.
    pub is_guess: bool,
}

/// Returns the shortest path to any function of an imported interface; none if no callable function needs it.
pub fn why(modules: &[Module], interface: &str) -> Option<ImportReason> {
    modules.iter().find_map(|module| why_in(module, interface))
}

fn why_in(module: &Module, interface: &str) -> Option<ImportReason> {
    // The core module names the versions that its parts were written for; the component names the newest of them.
    let base = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
    let wanted = base(interface);
    let is_wanted =
        |function: &ModuleFunction| function.import.as_ref().is_some_and(|(module, _)| base(module) == wanted);
    if !module.functions.iter().any(is_wanted) {
        return None;
    }
    let (end, cost, before) = shortest(module, is_wanted)?;
    let mut indices = vec![end];
    while let Some(previous) = indices.last().and_then(|last| before.get(last)) {
        indices.push(*previous);
    }
    indices.reverse();
    let function = |index: &u32| module.functions.get(*index as usize);
    let path: Vec<String> = indices.iter().filter_map(|index| function(index)?.name.clone()).collect();
    let own = indices.iter().rev().filter_map(|index| function(index)?.crate_name());
    let crate_name = own.into_iter().find(|name| !matches!(*name, "std" | "core" | "alloc" | "wasip2" | "dlmalloc"));
    Some(ImportReason {
        function: function(&end).and_then(|end| end.import.as_ref()).map(|(_, name)| name.clone()).unwrap_or_default(),
        path: if module.has_names() { path } else { Vec::new() },
        crate_name: crate_name.map(str::to_owned),
        is_guess: cost >= GUESS,
    })
}

/// Returns the wanted function that is reached with the fewest guesses, the cost, and each function's predecessor.
fn shortest(module: &Module, is_wanted: impl Fn(&ModuleFunction) -> bool) -> Option<(u32, u32, HashMap<u32, u32>)> {
    let mut costs: HashMap<u32, u32> = HashMap::new();
    let mut before: HashMap<u32, u32> = HashMap::new();
    let mut waiting: BinaryHeap<Reverse<(u32, u32)>> = BinaryHeap::new();
    for entry in &module.entries {
        costs.insert(*entry, 0);
        waiting.push(Reverse((0, *entry)));
    }
    let mut tables_are_walked = false;
    while let Some(Reverse((cost, index))) = waiting.pop() {
        let Some(function) = module.functions.get(index as usize) else { continue };
        if costs.get(&index).is_some_and(|known| *known < cost) {
            continue;
        }
        if is_wanted(function) {
            return Some((index, cost, before));
        }
        let by_name = function.calls.iter().map(|called| (*called, cost + 1));
        // The cheapest function with an indirect call comes first: the functions in the tables are never reached
        // at a lower cost later, so the tables are walked once.
        let walks_tables = function.calls_by_reference && !tables_are_walked;
        tables_are_walked |= walks_tables;
        let by_reference = module.in_tables.iter().filter(|_| walks_tables);
        for (called, cost) in by_name.chain(by_reference.map(|called| (*called, cost + GUESS))) {
            if costs.get(&called).is_none_or(|known| cost < *known) {
                costs.insert(called, cost);
                before.insert(called, index);
                waiting.push(Reverse((cost, called)));
            }
        }
    }
    None
}

/// Returns what in Rust's standard library needs an interface of WASI, and what to use instead.
pub fn remedy(interface: &str) -> &'static str {
    let base = interface.split('@').next().unwrap_or(interface);
    match base {
        "wasi:cli/environment" => "std::env: take values from settings (`host-config.setting`)",
        "wasi:cli/exit" => "std::process::exit: return an error instead",
        "wasi:cli/stdin" | "wasi:cli/stdout" | "wasi:cli/stderr" => "println! and panics: write with `host-log.log`",
        name if name.starts_with("wasi:filesystem/") => {
            "std::fs: keep rows with `host-db`, small values with `host-kv`"
        }
        name if name.starts_with("wasi:sockets/") => "std::net: the host opens no sockets for plugins",
        name if name.starts_with("wasi:clocks/") => "std::time: ask `host-clock.now`",
        name if name.starts_with("wasi:random/") => {
            "HashMap and getrandom: use BTreeMap, or ask `host-clock.random-bytes`"
        }
        name if name.starts_with("wasi:http/") => "an HTTP client: plugins reach other servers through the host alone",
        name if name.starts_with("wasi:io/") => "the streams of files, sockets and standard output",
        name if name.starts_with("wasi:cli/terminal") => "a look whether standard output is a terminal",
        _ => "a crate that calls another host",
    }
}
