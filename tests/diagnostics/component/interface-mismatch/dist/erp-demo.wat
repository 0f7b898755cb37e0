(component
  (import "erp:plugin/host-clock@1.0.0" (instance
    (export "now" (func (result u64)))
    (export "random-bytes" (func (param "len" u64) (result (list u8))))))
  (instance $base)
  (export "erp:plugin/base@1.0.0" (instance $base)))
