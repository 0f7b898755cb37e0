//! Rebuilds the program when a file is added to what it embeds; changed files cargo sees by itself.

fn main() {
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-changed=tests/diagnostics");
}
