(component
  (import "wasi:cli/environment@0.2.6" (instance))
  (instance $base)
  (export "erp:plugin/base@1.0.0" (instance $base)))
