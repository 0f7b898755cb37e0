//! The PostgreSQL server that `tests/run.sh` starts.

use std::sync::atomic::{AtomicU32, Ordering};

use erp_store::PostgresUrl;

/// Returns the server's address, as flags take it.
pub fn postgres_address() -> String {
    std::env::var("ERP_PLUGIN_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "there is no PostgreSQL to test with: run tests/run.sh, or export the address that \
             `tests/postgres.sh start FOLDER` prints as ERP_PLUGIN_TEST_POSTGRES"
        )
    })
}

/// Returns the server's address, as the library takes it.
pub fn postgres_url() -> PostgresUrl {
    postgres_address().parse().unwrap()
}

/// Creates an empty database, and returns its address.
pub fn empty_database() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut client = postgres::Client::connect(&postgres_address(), postgres::NoTls).unwrap();
    client.batch_execute(&format!("create database {name}")).unwrap();
    let address = postgres_address();
    let (server, _) = address.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}
