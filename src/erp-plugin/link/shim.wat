;; What a std guest finds where it expects WASI. Each export named `<interface>#<function>` takes the
;; place of that import; a function that is not here gets an inert body made from its type.
;;
;; The host's side (`$log`, `$now`, `$monotonic`, `$random`, `$random_bytes`, `$seed`) comes from
;; host-<version>.wat, which is put in front of this text. A line `;;!text $x "…"` stands for stores
;; of that text at the address in local $x; `;;!length "…"` for its length.

;; One page of memory, taken at the first write: two line buffers of 16 KiB and some scratch space.
(global $page (mut i32) (i32.const 0))
(global $out_length (mut i32) (i32.const 0))
(global $error_length (mut i32) (i32.const 0))

;; Stream and pollable handles. A guest only ever compares them with 0.
;; 1 standard output, 2 standard error, 3 standard input, 4 a timer.

(func $have_page (result i32)
  (if (i32.eqz (global.get $page)) (then
    (global.set $page (memory.grow (i32.const 1)))
    (if (i32.gt_s (global.get $page) (i32.const 0))
      (then (global.set $page (i32.shl (global.get $page) (i32.const 16)))))))
  (i32.gt_s (global.get $page) (i32.const 0)))

;; Replaces every byte that is not part of valid UTF-8 by `?`: a `string` that is not UTF-8 traps.
(func $repair (param $at i32) (param $length i32)
  (local $end i32) (local $byte i32) (local $need i32) (local $next i32) (local $low i32) (local $high i32)
  (local.set $end (i32.add (local.get $at) (local.get $length)))
  (block $done (loop $each
    (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
    (local.set $byte (i32.load8_u (local.get $at)))
    (local.set $low (i32.const 0x80))
    (local.set $high (i32.const 0xbf))
    (local.set $need
      (if (result i32) (i32.lt_u (local.get $byte) (i32.const 0x80)) (then (i32.const 0)) (else
      (if (result i32) (i32.lt_u (local.get $byte) (i32.const 0xc2)) (then (i32.const -1)) (else
      (if (result i32) (i32.lt_u (local.get $byte) (i32.const 0xe0)) (then (i32.const 1)) (else
      (if (result i32) (i32.lt_u (local.get $byte) (i32.const 0xf0)) (then (i32.const 2)) (else
      (if (result i32) (i32.lt_u (local.get $byte) (i32.const 0xf5)) (then (i32.const 3)) (else (i32.const -1))))))))))))
    (if (i32.eq (local.get $byte) (i32.const 0xe0)) (then (local.set $low (i32.const 0xa0))))
    (if (i32.eq (local.get $byte) (i32.const 0xed)) (then (local.set $high (i32.const 0x9f))))
    (if (i32.eq (local.get $byte) (i32.const 0xf0)) (then (local.set $low (i32.const 0x90))))
    (if (i32.eq (local.get $byte) (i32.const 0xf4)) (then (local.set $high (i32.const 0x8f))))
    (local.set $next (i32.add (local.get $at) (i32.const 1)))
    (block $bad
      (br_if $bad (i32.lt_s (local.get $need) (i32.const 0)))
      (block $good (loop $continuation
        (br_if $good (i32.eqz (local.get $need)))
        (br_if $bad (i32.ge_u (local.get $next) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $next)))
        (br_if $bad (i32.lt_u (local.get $byte) (local.get $low)))
        (br_if $bad (i32.gt_u (local.get $byte) (local.get $high)))
        (local.set $low (i32.const 0x80))
        (local.set $high (i32.const 0xbf))
        (local.set $next (i32.add (local.get $next) (i32.const 1)))
        (local.set $need (i32.sub (local.get $need) (i32.const 1)))
        (br $continuation)))
      (local.set $at (local.get $next))
      (br $each))
    (i32.store8 (local.get $at) (i32.const 0x3f))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br $each))))

;; Where the line buffer of a stream begins.
(func $buffer (param $stream i32) (result i32)
  (i32.add (global.get $page) (i32.shl (i32.sub (local.get $stream) (i32.const 1)) (i32.const 14))))

(func $length (param $stream i32) (result i32)
  (select (global.get $out_length) (global.get $error_length) (i32.eq (local.get $stream) (i32.const 1))))

(func $set_length (param $stream i32) (param $length i32)
  (if (i32.eq (local.get $stream) (i32.const 1))
    (then (global.set $out_length (local.get $length)))
    (else (global.set $error_length (local.get $length)))))

;; Hands a stream's line to the host's log: standard output as information, standard error as an error.
(func $flush_line (param $stream i32)
  (local $at i32) (local $length i32)
  (local.set $at (call $buffer (local.get $stream)))
  (local.set $length (call $length (local.get $stream)))
  (call $set_length (local.get $stream) (i32.const 0))
  (call $repair (local.get $at) (local.get $length))
  (call $log (i32.eq (local.get $stream) (i32.const 2)) (local.get $at) (local.get $length)))

;; Called behind every export, so that a line without its end is not lost.
(func $flush (export "flush")
  (if (global.get $out_length) (then (call $flush_line (i32.const 1))))
  (if (global.get $error_length) (then (call $flush_line (i32.const 2)))))

(func $write (param $stream i32) (param $from i32) (param $count i32)
  (local $end i32) (local $byte i32) (local $length i32)
  (if (i32.eqz (call $have_page)) (then
    ;; Memory is exhausted: the text goes out as it is, so that "memory allocation failed" is heard.
    (call $repair (local.get $from) (local.get $count))
    (call $log (i32.eq (local.get $stream) (i32.const 2)) (local.get $from) (local.get $count))
    (return)))
  (local.set $end (i32.add (local.get $from) (local.get $count)))
  (block $done (loop $each
    (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
    (local.set $byte (i32.load8_u (local.get $from)))
    (local.set $from (i32.add (local.get $from) (i32.const 1)))
    (if (i32.eq (local.get $byte) (i32.const 0x0a))
      (then (call $flush_line (local.get $stream)) (br $each)))
    (local.set $length (call $length (local.get $stream)))
    (if (i32.eq (local.get $length) (i32.const 0x4000))
      (then (call $flush_line (local.get $stream)) (local.set $length (i32.const 0))))
    (i32.store8 (i32.add (call $buffer (local.get $stream)) (local.get $length)) (local.get $byte))
    (call $set_length (local.get $stream) (i32.add (local.get $length) (i32.const 1)))
    (br $each))))

;; Says why, and ends the call.
(func $refuse (param $length i32)
  (call $flush)
  (call $log (i32.const 1) (i32.add (global.get $page) (i32.const 0x8000)) (local.get $length))
  unreachable)

(func $scratch (result i32)
  (if (i32.eqz (call $have_page)) (then unreachable))
  (i32.add (global.get $page) (i32.const 0x8000)))

(func $no_clock
  (local $at i32)
  (local.set $at (call $scratch))
  ;;!text $at "std::time was used, but this host API has no clock: take the time from an event or a row"
  (call $refuse (;!length "std::time was used, but this host API has no clock: take the time from an event or a row";)))

(func $no_random
  (local $at i32)
  (local.set $at (call $scratch))
  ;;!text $at "random bytes were asked for, but this host API has none"
  (call $refuse (;!length "random bytes were asked for, but this host API has none";)))

(func $no_sleep
  (local $at i32)
  (local.set $at (call $scratch))
  ;;!text $at "thread::sleep was called: a plugin's call cannot wait; return, and let an event or a job call it again"
  (call $refuse (;!length "thread::sleep was called: a plugin's call cannot wait; return, and let an event or a job call it again";)))

(func (export "wasi:cli/exit#exit") (param i32)
  (local $at i32)
  (local.set $at (call $scratch))
  ;;!text $at "process::exit was called: return an error instead"
  (call $refuse (;!length "process::exit was called: return an error instead";)))

(func (export "wasi:cli/exit#exit-with-code") (param i32)
  (local $at i32)
  (local.set $at (call $scratch))
  ;;!text $at "process::exit was called: return an error instead"
  (call $refuse (;!length "process::exit was called: return an error instead";)))

(func (export "wasi:cli/stdout#get-stdout") (result i32) (i32.const 1))
(func (export "wasi:cli/stderr#get-stderr") (result i32) (i32.const 2))
(func (export "wasi:cli/stdin#get-stdin") (result i32) (i32.const 3))

(func (export "wasi:io/streams#[method]output-stream.check-write") (param $stream i32) (param $result i32)
  (i64.store (local.get $result) (i64.const 0))
  (i64.store offset=8 (local.get $result) (i64.const 4096)))
(func (export "wasi:io/streams#[method]output-stream.write") (param $stream i32) (param $from i32) (param $count i32) (param $result i32)
  (call $write (local.get $stream) (local.get $from) (local.get $count))
  (i32.store8 (local.get $result) (i32.const 0)))
(func (export "wasi:io/streams#[method]output-stream.blocking-write-and-flush") (param $stream i32) (param $from i32) (param $count i32) (param $result i32)
  (call $write (local.get $stream) (local.get $from) (local.get $count))
  (i32.store8 (local.get $result) (i32.const 0)))
(func (export "wasi:io/streams#[method]output-stream.flush") (param $stream i32) (param $result i32)
  (i32.store8 (local.get $result) (i32.const 0)))
(func (export "wasi:io/streams#[method]output-stream.blocking-flush") (param $stream i32) (param $result i32)
  (i32.store8 (local.get $result) (i32.const 0)))
(func (export "wasi:io/streams#[method]output-stream.subscribe") (param i32) (result i32) (i32.const 1))

(func (export "wasi:io/poll#[method]pollable.ready") (param $pollable i32) (result i32)
  (i32.ne (local.get $pollable) (i32.const 4)))
(func (export "wasi:io/poll#[method]pollable.block") (param $pollable i32)
  (if (i32.eq (local.get $pollable) (i32.const 4)) (then (call $no_sleep))))
;; The first one that is no timer is ready; where all are timers, the guest wants to sleep.
(func (export "wasi:io/poll#poll") (param $from i32) (param $count i32) (param $result i32)
  (local $index i32) (local $list i32)
  (block $found (loop $each
    (if (i32.ge_u (local.get $index) (local.get $count)) (then (call $no_sleep)))
    (br_if $found (i32.ne (i32.load (i32.add (local.get $from) (i32.shl (local.get $index) (i32.const 2)))) (i32.const 4)))
    (local.set $index (i32.add (local.get $index) (i32.const 1)))
    (br $each)))
  (local.set $list (call $guest_allocate (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 4)))
  (i32.store (local.get $list) (local.get $index))
  (i32.store (local.get $result) (local.get $list))
  (i32.store offset=4 (local.get $result) (i32.const 1)))

(func (export "wasi:clocks/monotonic-clock#now") (result i64) (call $monotonic))
(func (export "wasi:clocks/monotonic-clock#resolution") (result i64) (i64.const 1))
(func (export "wasi:clocks/monotonic-clock#subscribe-duration") (param i64) (result i32) (i32.const 4))
(func (export "wasi:clocks/monotonic-clock#subscribe-instant") (param i64) (result i32) (i32.const 4))
(func (export "wasi:clocks/wall-clock#now") (param $result i32)
  (local $now i64)
  (local.set $now (call $now))
  (i64.store (local.get $result) (i64.div_u (local.get $now) (i64.const 1000000000)))
  (i64.store offset=8 (local.get $result) (i64.rem_u (local.get $now) (i64.const 1000000000))))
(func (export "wasi:clocks/wall-clock#resolution") (param $result i32)
  (i64.store (local.get $result) (i64.const 0))
  (i64.store offset=8 (local.get $result) (i64.const 1)))

(func (export "wasi:random/random#get-random-bytes") (param $count i64) (param $result i32)
  (call $random_bytes (i32.wrap_i64 (local.get $count)) (local.get $result)))
(func (export "wasi:random/random#get-random-u64") (result i64) (call $random))
(func (export "wasi:random/insecure#get-insecure-random-bytes") (param $count i64) (param $result i32)
  (call $random_bytes (i32.wrap_i64 (local.get $count)) (local.get $result)))
(func (export "wasi:random/insecure#get-insecure-random-u64") (result i64) (call $random))
;; HashMap asks for it, so it is never a reason to refuse.
(func (export "wasi:random/insecure-seed#insecure-seed") (param $result i32)
  (i64.store (local.get $result) (call $seed))
  (i64.store offset=8 (local.get $result) (call $seed)))

;; Older versions of wasi-libc still call preview 1. Errors there are numbers: 0 success, 8 bad file.
(func (export "wasi_snapshot_preview1#fd_write") (param $file i32) (param $vectors i32) (param $count i32) (param $written i32) (result i32)
  (local $total i32) (local $length i32)
  (if (i32.gt_u (i32.sub (local.get $file) (i32.const 1)) (i32.const 1)) (then (return (i32.const 8))))
  (block $done (loop $each
    (br_if $done (i32.eqz (local.get $count)))
    (local.set $length (i32.load offset=4 (local.get $vectors)))
    (call $write (local.get $file) (i32.load (local.get $vectors)) (local.get $length))
    (local.set $total (i32.add (local.get $total) (local.get $length)))
    (local.set $vectors (i32.add (local.get $vectors) (i32.const 8)))
    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
    (br $each)))
  (i32.store (local.get $written) (local.get $total))
  (i32.const 0))
(func (export "wasi_snapshot_preview1#fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
(func (export "wasi_snapshot_preview1#environ_sizes_get") (param $count i32) (param $size i32) (result i32)
  (i32.store (local.get $count) (i32.const 0))
  (i32.store (local.get $size) (i32.const 0))
  (i32.const 0))
(func (export "wasi_snapshot_preview1#environ_get") (param i32 i32) (result i32) (i32.const 0))
(func (export "wasi_snapshot_preview1#args_sizes_get") (param $count i32) (param $size i32) (result i32)
  (i32.store (local.get $count) (i32.const 0))
  (i32.store (local.get $size) (i32.const 0))
  (i32.const 0))
(func (export "wasi_snapshot_preview1#args_get") (param i32 i32) (result i32) (i32.const 0))
(func (export "wasi_snapshot_preview1#sched_yield") (result i32) (i32.const 0))
;; Clock 0 is the wall clock, 1 the monotonic one.
(func (export "wasi_snapshot_preview1#clock_time_get") (param $clock i32) (param i64) (param $result i32) (result i32)
  (i64.store (local.get $result)
    (if (result i64) (i32.eqz (local.get $clock)) (then (call $now)) (else (call $monotonic))))
  (i32.const 0))
(func (export "wasi_snapshot_preview1#clock_res_get") (param i32) (param $result i32) (result i32)
  (i64.store (local.get $result) (i64.const 1))
  (i32.const 0))
(func (export "wasi_snapshot_preview1#random_get") (param $at i32) (param $count i32) (result i32)
  (local $bits i64) (local $left i32)
  (block $done (loop $each
    (br_if $done (i32.eqz (local.get $count)))
    (if (i32.eqz (local.get $left)) (then
      (local.set $bits (call $random))
      (local.set $left (i32.const 8))))
    (i64.store8 (local.get $at) (local.get $bits))
    (local.set $bits (i64.shr_u (local.get $bits) (i64.const 8)))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
    (br $each)))
  (i32.const 0))
(func (export "wasi_snapshot_preview1#poll_oneoff") (param i32 i32 i32 i32) (result i32) (call $no_sleep) (i32.const 0))
(func (export "wasi_snapshot_preview1#proc_exit") (param i32)
  (local $at i32)
  (local.set $at (call $scratch))
  ;;!text $at "process::exit was called: return an error instead"
  (call $refuse (;!length "process::exit was called: return an error instead";)))
