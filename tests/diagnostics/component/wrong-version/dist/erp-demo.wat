(component
  (import "erp:plugin/host-log@2.0.0" (instance))
  (instance $base)
  (export "erp:plugin/base@1.0.0" (instance $base)))
