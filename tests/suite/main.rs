//! The black-box suite: it runs the program and never links the library, so that it builds in seconds.
//! `ERP_PLUGIN_BLESS=1` writes expectations anew.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test that cannot go on panics, and reads what it likes"
)]

mod architecture;
mod contracts;
mod dev_host;
mod diagnostics;
mod documentation;
mod every_command;
mod guests;
mod manifests;
mod packages;
mod publish;
mod sandbox;
mod storage;
mod support;
mod templates;
mod test_bench;
