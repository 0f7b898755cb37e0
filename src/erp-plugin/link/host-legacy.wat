(import "guest" "memory" (memory 0))
(import "guest" "cabi_realloc" (func $guest_allocate (param i32 i32 i32 i32) (result i32)))
(import "erp:plugin/host-api" "log-write" (func $host_log (param i32 i32 i32 i32)))

(func $log (param $is_error i32) (param $at i32) (param $length i32)
  (local $level i32)
  (local.set $level (i32.const 8))
  (if (call $have_page) (then
    (local.set $level (i32.add (global.get $page) (i32.const 0xc000)))
    (if (local.get $is_error)
      (then
        ;;!text $level "error"
      )
      (else
        ;;!text $level "info"
      ))
    (call $host_log (local.get $level) (select (i32.const 5) (i32.const 4) (local.get $is_error)) (local.get $at) (local.get $length)))
  (else
    ;; Without a page there is no place for the name of the level: the message serves as both.
    (call $host_log (local.get $at) (i32.const 0) (local.get $at) (local.get $length)))))

;; The legacy host API has no clock and no randomness: what asks for them is told so.
(func $now (result i64) (call $no_clock) unreachable)
(func $monotonic (result i64) (call $no_clock) unreachable)
(func $random (result i64) (call $no_random) unreachable)
(func $random_bytes (param i32 i32) (call $no_random) unreachable)
(func $seed (result i64) (i64.const 0x5bd1e9955bd1e995))
