//! The memory that the host uses on behalf of a guest is bounded: the process is measured while it is attacked.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::hostile::{ATTACKS, Attack, GuestText, HONEST, MANIFEST};
use crate::support::{Client, Sandbox, request};

/// How much the host's process may grow because of an attack, in bytes.
const MAX_GROWTH: u64 = 32 << 20;

/// Reads a size from `/proc/<pid>/status`, in bytes; 0 if it is missing.
fn status(pid: u32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
        << 10
}

/// Runs a command; returns the peak memory that was observed, in bytes, and the output.
fn peak(mut command: Command) -> (u64, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    std::thread::scope(|scope| {
        let said = scope.spawn(move || {
            let mut said = String::new();
            std::io::Read::read_to_string(&mut stdout, &mut said).unwrap();
            std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
            said
        });
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            peak = peak.max(status(child.id(), "VmHWM"));
            std::thread::sleep(Duration::from_millis(2));
        }
        (peak, said.join().unwrap())
    })
}

fn call(sandbox: &Sandbox, guest: &GuestText, limits: &[(&str, &str)]) -> (u64, String) {
    sandbox.write("guest.wasm", guest.component());
    let mut arguments = vec!["call", "--component", "guest.wasm", "plugin-api.handle-event(\"x\", [1])"];
    let limits: Vec<String> = limits.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for limit in &limits {
        arguments.extend(["--limit", limit]);
    }
    peak(sandbox.command(&arguments))
}

#[test]
fn no_attack_makes_a_call_keep_more_than_32_mib() {
    let sandbox = Sandbox::new();
    sandbox.write("plugin.toml", MANIFEST);
    // Memory that the guest itself fills is the guest's, within its own limit.
    let fills = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 8000000)) (call $ok)";
    let touched = GuestText { memory: "256", ..GuestText::of(fills) };
    let (own, said) = call(&sandbox, &touched, &[("fuel", "10_000_000_000")]);
    assert!(own > 0, "{said}");
    let (honest, said) = call(&sandbox, &HONEST, &[]);
    assert!(said.contains("db.insert"), "{said}");
    let mut wrong = Vec::new();
    let fits = |attack: &&Attack| attack.code != "plugin.load" && !attack.name.contains("memory for the host");
    for Attack { name, guest, limits, .. } in ATTACKS.iter().filter(fits) {
        let (most, said) = call(&sandbox, guest, limits);
        let before = if guest.memory.len() > 1 { own.max(honest) } else { honest };
        let own_memory = if name.contains("memory that grows") || name.contains("megabytes") { 64 << 20 } else { 0 };
        let grown = most.saturating_sub(before + own_memory);
        if grown > MAX_GROWTH || !(said.contains("fuel") || said.contains("does not start")) {
            wrong.push(format!("{name}: {} MB: {}", grown >> 20, &said[..said.floor_char_boundary(200)]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_dev_host_keeps_no_more_after_many_hostile_calls_than_after_some() {
    const CALLS: usize = 60;
    let sandbox = Sandbox::new();
    sandbox.write("plugin.toml", MANIFEST);
    let names = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 100000)) (loop $again \
        (call $config (i32.const 65536) (i32.const 100000) (i32.const 1032)) \
        (local.set $n (i32.add (local.get $n) (i32.const 1))) \
        (i32.store (i32.const 65536) (local.get $n)) (br_if $again (i32.lt_u (local.get $n) (i32.const 120)))) (call $ok)";
    let guest = GuestText { memory: "16", realloc: "(i32.const 2048)", ..GuestText::of(names) };
    sandbox.take_bytes(".", guest.component());
    sandbox.run(&["pack"]).succeeded();
    let host = sandbox.dev_host(&[]);
    let admin = Client::new(&host, "admin@acme", "erp-hostile");
    assert_eq!(admin.upload(&sandbox, "dist/erp-hostile-1.0.0.erpx").0, 201);
    admin.start();
    let attack = || {
        let body = json!({ "plugin": "erp-hostile", "call": "plugin-api.handle-event(\"x\", [1])" });
        let (status, answer) = admin.ask("POST", "/_dev/invoke", &body);
        assert_eq!(status, 200, "{answer}");
    };
    attack();
    let pid = host.child.id();
    let before = status(pid, "VmRSS");
    for _ in 0..CALLS {
        attack();
    }
    let grown = status(pid, "VmRSS").saturating_sub(before);
    assert!(grown < MAX_GROWTH, "{} MB after {CALLS} calls", grown >> 20);
    // 60 calls were denied 120 keys of 100 KB each: the database keeps only as much of them as a person can read.
    let (_, denials) = admin.ask("GET", "/_dev/denials", &serde_json::Value::Null);
    assert!(denials.to_string().len() < 1 << 20, "{} bytes", denials.to_string().len());
    let database = std::fs::metadata(sandbox.path("state/platform.sqlite")).unwrap().len();
    assert!(database < 16 << 20, "{database} bytes");
}

#[test]
fn refused_requests_leave_little_behind() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let token = host.token("admin@acme");
    let path = format!("/api/v1/plugins/{}", "x/".repeat(25_000));
    let key = format!("{{\"{}\": 1}}", "k".repeat(60_000));
    let refuse = || {
        assert_eq!(request(&host.url(), "GET", &path, Some(&token), &[], &[]).0, 404);
        assert_eq!(request(&host.url(), "POST", "/_dev/faults", Some(&token), key.as_bytes(), &[]).0, 400);
    };
    (0..20).for_each(|_| refuse());
    let pid = host.child.id();
    let before = status(pid, "VmRSS");
    (0..700).for_each(|_| refuse());
    let grown = status(pid, "VmRSS").saturating_sub(before);
    assert!(grown < MAX_GROWTH, "{} MB", grown >> 20);
}
