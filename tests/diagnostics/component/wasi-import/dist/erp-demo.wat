(component
  (import "wasi:cli/environment@0.2.6" (instance))
  (core module
    (import "wasi:cli/environment@0.2.0" "get-environment" (func $get-environment (param i32)))
    (func $std::env::vars (call $get-environment (i32.const 0)))
    (func $acme_tax::rates::from_environment (call $std::env::vars))
    (func $erp_demo::init (call $acme_tax::rates::from_environment))
    (export "init" (func $erp_demo::init)))
  (instance $base)
  (export "erp:plugin/base@1.0.0" (instance $base)))
