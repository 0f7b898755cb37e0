//! The host's side of the WIT: generated, and nothing else.
/// Host API 1.0.0.
pub(super) mod v1 {
    wasmtime::component::bindgen!({
        path: "wit/1.0.0",
        world: "host-full",
        imports: { "erp:plugin/host-clock@1.0.0.random-bytes": trappable },
    });
}

/// The legacy host API.
pub(super) mod legacy {
    wasmtime::component::bindgen!({ path: "wit/legacy", world: "plugin-world" });
}
