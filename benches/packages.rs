//! The cost of packing, verifying and inspecting packages, compared with hashing and deflating the same bytes; and the
//! cost of hostile archives.
//!
//! `cargo bench --bench packages` prints the two tables of `docs/benchmarks.md`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_macros,
    reason = "a program that measures and prints"
)]
#![expect(clippy::cast_possible_truncation, reason = "sizes of inputs that are made here")]

use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use erp_component::{Module, read};
use erp_manifest::digest::sha256_hex;
use erp_package::archive::{self, PackageParts};
use erp_package::signing::TrustStore;
use erp_package::strict_zip::{self, Limits};
use erp_package::verification::{Policy, verify};
use serde_json::json;

#[path = "../tests/suite/support/zips.rs"]
#[expect(unreachable_pub, reason = "the tests share it")]
mod zips;

const SIZES: [(&str, usize); 3] = [("100 kB", 100_000), ("2 MB", 2_000_000), ("30 MB", 30_000_000)];
const WORK: [&str; 4] = ["floor", "pack", "verify", "inspect"];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--one") {
        Some(at) => one(&arguments[at + 1], arguments[at + 2].parse().unwrap()),
        None if arguments.iter().any(|argument| argument == "--test") => {}
        None => table(),
    }
}

/// Runs each piece of work in a process of its own, so that its memory can be measured alone.
#[expect(clippy::disallowed_methods, reason = "it starts itself")]
fn table() {
    println!("| component | work | time | memory |\n|---|---|---|---|");
    for (name, size) in SIZES {
        for work in WORK {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--one", work, &size.to_string()])
                .output()
                .unwrap();
            println!("| {name} | {work} | {} |", String::from_utf8(output.stdout).unwrap().trim());
        }
    }
    println!("\n{}", hostile());
}

fn one(work: &str, size: usize) {
    let component = component(size);
    let package = pack(&component);
    // The memory that making the inputs took does not count.
    forget_high_water();
    let before = high_water();
    let run: Box<dyn Fn()> = match work {
        "floor" => Box::new(|| {
            black_box(sha256_hex(&component));
            black_box(zips::deflate(&component));
        }),
        "pack" => Box::new(|| drop(black_box(pack(&component)))),
        "verify" => Box::new(|| {
            let trust = TrustStore::default();
            let verdict = verify(&package, &Policy::new(&trust, "2026-04-15T08:00:00Z".parse().unwrap()));
            assert!(verdict.is_good(), "{:?}", verdict.checks);
        }),
        _ => Box::new(|| {
            let opened = archive::open(&package, &Limits::default()).unwrap();
            black_box(read(opened.component()).unwrap());
            black_box(Module::all_of(opened.component()).unwrap());
        }),
    };
    let times: Vec<Duration> = (0..5)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed()
        })
        .collect();
    println!("{} | {} MB more", shown(*times.iter().min().unwrap()), (high_water() - before) / 1024);
}

/// A component of about `size` bytes: the smallest template's, with a section that compresses as code does.
fn component(size: usize) -> Vec<u8> {
    let mut component = include_bytes!("../fuzz/seeds/component/minimal.wasm").to_vec();
    let filling = size.saturating_sub(component.len() + 16);
    let mut state = 1_u32;
    let noise = (0..filling).map(|at| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if at % 3 == 0 { (state >> 24) as u8 } else { (at % 64) as u8 }
    });
    let noise: Vec<u8> = noise.collect();
    component.push(0);
    leb(&mut component, filling + 5);
    component.extend(b"\x04fill");
    component.extend(noise);
    component
}

fn leb(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn pack(component: &[u8]) -> Vec<u8> {
    let parts = PackageParts {
        manifest: json!({
            "metadata": { "id": "erp-large", "name": "大", "version": "1.0.0" },
            "runtime": { "abi": "erp:plugin@1.0.0", "world": "minimal-plugin" },
            "budget": { "wasm": "32MB" },
        }),
        id: "erp-large".to_owned(),
        version: "1.0.0".to_owned(),
        abi: "erp:plugin@1.0.0".to_owned(),
        world: "minimal-plugin".to_owned(),
        wit: String::new(),
        component: component.to_vec(),
        files: Vec::new(),
        tool: "bench".to_owned(),
        rule_set: String::new(),
    };
    archive::build(&parts).unwrap()
}

/// Reads every hostile archive; reports the slowest one, and the memory that reading all of them took.
fn hostile() -> String {
    let attacks = zips::attacks();
    forget_high_water();
    let before = high_water();
    let mut slowest = (Duration::ZERO, "");
    for (name, _, bytes) in &attacks {
        let started = Instant::now();
        assert!(strict_zip::read(bytes, &Limits::default()).is_err(), "{name}");
        let took = started.elapsed();
        if took > slowest.0 {
            slowest = (took, *name);
        }
    }
    let memory = (high_water() - before) / 1024;
    format!(
        "{} hostile archives, all refused; the slowest ({}) took {}, all of them {memory} MB more memory than making them",
        attacks.len(),
        slowest.1,
        shown(slowest.0)
    )
}

fn shown(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

/// Resets the peak memory that the kernel records for this process.
#[expect(clippy::disallowed_methods, reason = "no file, but a word to the kernel")]
fn forget_high_water() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Returns the peak memory of this process since the last reset, in kB.
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
