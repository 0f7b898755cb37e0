(component
  (instance $empty)
  (export "erp:plugin/base@1.0.0" (instance $empty))
  (export "demo:tools/extra@1.0.0" (instance $empty)))
