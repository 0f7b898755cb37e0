(component
  (import "acme:printer/labels@1.0.0" (instance))
  (instance $base)
  (export "erp:plugin/base@1.0.0" (instance $base)))
