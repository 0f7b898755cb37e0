//! Identifies WASI calls that ended a guest written in TypeScript or Python.
//!
//! Their toolchains replace each WASI interface with a small module. Its functions trap; each function has one export,
//! in the order of their indexes. The name of the interface is lost.

use wasmtime::WasmBacktrace;

/// Returns the WASI call that ended a guest, such as `wasi:clocks/monotonic-clock#now`; none for any other cause.
pub(super) fn refused_wasi_call(backtrace: &WasmBacktrace) -> Option<String> {
    let frame = backtrace.frames().first()?;
    let module = frame.module();
    if module.imports().len() > 0 {
        return None;
    }
    let names: Vec<&str> = module.exports().filter(|export| export.ty().func().is_some()).map(|e| e.name()).collect();
    let name = names.get(usize::try_from(frame.func_index()).ok()?)?;
    Some(format!("wasi:{}#{name}", interface_of(name, &names)?))
}

/// Returns the interface of a function; the other exports of its module distinguish interfaces with equal names.
fn interface_of(name: &str, names: &[&str]) -> Option<&'static str> {
    let rest =
        ["[method]", "[static]", "[constructor]", "[resource-drop]"].iter().find_map(|kind| name.strip_prefix(kind));
    let resource = rest.map(|rest| rest.split('.').next().unwrap_or(rest));
    Some(match resource.unwrap_or(name) {
        "now" | "resolution" if names.iter().any(|other| other.starts_with("subscribe-")) => "clocks/monotonic-clock",
        "now" | "resolution" => "clocks/wall-clock",
        "subscribe-instant" | "subscribe-duration" => "clocks/monotonic-clock",
        "get-arguments" | "get-environment" | "initial-cwd" => "cli/environment",
        "exit" | "exit-with-code" => "cli/exit",
        "get-stdin" => "cli/stdin",
        "get-stdout" => "cli/stdout",
        "get-stderr" => "cli/stderr",
        "descriptor" | "directory-entry-stream" | "filesystem-error-code" => "filesystem/types",
        "get-directories" => "filesystem/preopens",
        "pollable" | "poll" => "io/poll",
        "input-stream" | "output-stream" => "io/streams",
        "get-random-bytes" | "get-random-u64" => "random/random",
        "get-insecure-random-bytes" | "get-insecure-random-u64" => "random/insecure",
        "insecure-seed" => "random/insecure-seed",
        "tcp-socket" | "create-tcp-socket" => "sockets/tcp",
        "udp-socket" | "incoming-datagram-stream" | "outgoing-datagram-stream" | "create-udp-socket" => "sockets/udp",
        "resolve-address-stream" | "resolve-addresses" => "sockets/ip-name-lookup",
        "instance-network" | "network" => "sockets/network",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_belongs_to_the_interface_that_its_neighbours_are_of() {
        assert_eq!(interface_of("now", &["now", "subscribe-duration"]), Some("clocks/monotonic-clock"));
        assert_eq!(interface_of("now", &["resolution", "now"]), Some("clocks/wall-clock"));
        assert_eq!(interface_of("[method]descriptor.open-at", &[]), Some("filesystem/types"));
        assert_eq!(interface_of("run", &["run"]), None);
    }
}
