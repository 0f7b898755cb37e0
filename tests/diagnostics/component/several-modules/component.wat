(component
  (import "wasi:cli/environment@0.2.6" (instance))
  (core module (memory 1))
  (core module (memory 1)))
