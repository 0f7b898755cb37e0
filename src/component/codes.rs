//! Codes of findings about components that cannot be read or that are refused.

use erp_manifest::codes::codes;

codes! { pub:
    NOT_WASM = "component/not-wasm", finding(Error), "The file is no WebAssembly.",
        why: "The platform loads WebAssembly components only.",
        fix: "Build the plugin with `erp-plugin build`.";
    CORE_MODULE = "component/core-module", finding(Error), "The file is a core module and not a component.",
        why: "The platform loads components: a core module has no typed interfaces. Builds for wasm32-unknown-unknown and wasm32-wasip1 make core modules.",
        fix: "Build for `wasm32-wasip2`: `erp-plugin build` does.";
    INVALID_COMPONENT = "component/invalid", finding(Error), "The component is damaged or uses a feature that the platform has switched off.",
        why: "The platform validates every component before it compiles it.",
        fix: "Build it again with `erp-plugin build`; take away threads, 64-bit memories, exceptions and garbage collection.";
    COMPONENT_EXCESSIVE = "component/excessive", finding(Error), "The component passes a bound that is checked before anything looks closer.",
        why: "Validating and compiling cost time and memory that a hostile component could choose; the bounds keep a server alive.",
        fix: "Build with `--release`, take large dependencies away, or split the plugin.";
    TOO_COMPLEX = "component/too-complex", finding(Error), "Compiling the component would cost more than its size says.",
        why: "A few KB can keep a compiler busy for minutes and fill gigabytes: calls and branches with hundreds of operands, values that live across thousands of branches, blocks that nest without end. The cost is counted before anything is validated or compiled.",
        fix: "Compilers of languages do not write such code. Pass fewer values at once (by memory), split the function, or build with `--release`.";
    FOREIGN_NAME = "component/foreign-name", finding(Error), "A name at the component's border asks for something to be loaded.",
        why: "The platform links the host API by the names of its interfaces. Addresses, digests and dependencies at the border mean nothing to it, and neither do functions that are named like interfaces.",
        fix: "Build with `erp-plugin build`; link other components with `[[link]]` instead of importing them by an address.";
}
