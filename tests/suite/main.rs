//! The suite: it runs the program as users do, and calls the library as a platform that embeds it does.
//! `ERP_PLUGIN_BLESS=1` rewrites the expected output.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "a test that cannot go on panics, reads what it likes, and makes inputs of known sizes"
)]

mod architecture;
mod availability;
mod cargo_setups;
mod compile_bounds;
mod contracts;
mod databases;
mod dev_api;
mod dev_host;
mod developer_machine;
mod diagnostics;
mod documentation;
mod embedding;
mod every_command;
mod field_types;
mod guests;
mod host_memory;
mod hostile_packages;
mod hot_reload;
mod http_routes;
mod isolation;
mod manifests;
mod migrate;
mod nodes;
mod package_trust;
mod packages;
mod platform_files;
mod present_component;
mod publish;
mod publish_faults;
mod publish_oci;
mod roll_ups;
mod sandbox;
mod scaffolding;
mod search;
mod storage;
mod supply_chain;
mod support;
mod templates;
mod test_bench;
mod unit_schedules;
mod units_of_work;
mod upgrades;
