(component (import "url=<https://example.com/library.wasm>" (func)))
