//! Rebuilds the program when a file is added to what it embeds; changed files cargo sees by itself.

#![expect(clippy::disallowed_macros, reason = "how a build script talks to cargo")]

fn main() {
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-changed=tests/diagnostics");
}
