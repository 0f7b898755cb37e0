//! The host's side of the host API for wasmtime, generated: traits that a host implements, and the exports that it
//! calls.

/// Host API 1.0.0, with all of its interfaces.
#[expect(missing_docs, reason = "generated")]
pub mod v1 {
    wasmtime::component::bindgen!({
        path: "1.0.0",
        world: "host-full",
        imports: { "erp:plugin/host-clock@1.0.0.random-bytes": trappable },
    });
}

/// The legacy host API.
#[expect(missing_docs, reason = "generated")]
pub mod legacy {
    wasmtime::component::bindgen!({ path: "legacy", world: "plugin-world" });
}
