//! A platform that embeds the runtime. An axum server with its own users, connection pool and event bus runs a plugin
//! from its package, which it verifies first. `docs/embedding.md` walks through it.
//!
//! ```console
//! $ cargo run -p erp-embed -- inventory.erpx sqlite:rows.sqlite
//! $ cargo run -p erp-embed -- inventory.erpx postgres://erp@localhost/erp --key vendor.pub.pem
//! ```

mod api;
mod bus;
mod database;
mod engine;
mod users;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use erp_manifest::Moment;
use erp_manifest::diagnostics::SourceFile;
use erp_package::archive::{MANIFEST, Package};
use erp_package::signing::{PublicKey, TrustStore, TrustedKey};
use erp_package::verification::{Demand, Policy, verify};
use erp_storage::{Storage, StoreError};
use erp_store::{Database, LentPool, Pool, UnitOfWork};
use jiff::Timestamp;

use crate::bus::EventBus;
use crate::database::PlatformPool;
use crate::engine::PluginEngine;
use crate::users::Users;

/// The number of calls that run at the same time, and of connections in the pool.
const THREADS: usize = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "embed PACKAGE sqlite:FILE|postgres://… [--key PUBLIC-KEY]";
    let package = arguments.next().ok_or(usage)?;
    let database = arguments.next().ok_or(usage)?;
    let key = arguments.nth(1);

    let package = verified(&std::fs::read(package)?, key.as_deref().map(Path::new))?;
    let manifest = Arc::new(package.manifest.clone());
    let text = package.file(MANIFEST).unwrap_or_default();
    let source = SourceFile::new(MANIFEST, String::from_utf8_lossy(text));
    let now = Moment::of_system_clock();
    match database.strip_prefix("sqlite:") {
        Some(file) => {
            let mut first = Database::open(Path::new(file))?;
            first.schema().install(&manifest, &source, now)?;
            serve(Pool::new(first, THREADS)?, &package).await
        }
        None => {
            // The platform's own pool: the rows of plugins are in the same database as the platform's other tables.
            let connections = PlatformPool::connect(&database, THREADS)?;
            let pool = tokio::task::spawn_blocking(move || {
                let pool = LentPool::new(connections)?;
                pool.install(&manifest, &source, now)?;
                Ok::<_, StoreError>(pool)
            });
            serve(pool.await??, &package).await
        }
    }
}

/// Returns the package if it passes all checks; if there is a key, the key must have signed it.
fn verified(bytes: &[u8], key: Option<&Path>) -> Result<Package, Box<dyn Error + Send + Sync>> {
    let mut trust = TrustStore::default();
    if let Some(file) = key {
        trust.add(TrustedKey {
            key: PublicKey::from_pem(&std::fs::read_to_string(file)?)?,
            publisher: "vendor".to_owned(),
            scopes: vec!["*".to_owned()],
            not_after: None,
            revoked: None,
        });
    }
    let now = Timestamp::now();
    let demand = if key.is_some() { Demand::Signatures } else { Demand::Integrity };
    let verdict = verify(bytes, &Policy { demand, ..Policy::new(&trust, now) });
    let problems: Vec<String> = verdict.problems().map(|problem| problem.message.clone()).collect();
    match verdict.package {
        Some(package) if problems.is_empty() => Ok(package),
        _ => Err(format!("the package is refused: {}", problems.join("; ")).into()),
    }
}

async fn serve<S>(storage: S, package: &Package) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: Storage<Unit = UnitOfWork> + 'static,
{
    let bus = EventBus::default();
    let engine = PluginEngine::new(storage, &bus, THREADS)?;
    let id = engine.load(package)?;
    engine.initialize(&id).await?;
    engine.start_event_listener(&id);
    for tenant in Users::TENANTS {
        engine.on_tenant_created(&id, tenant).await?;
    }

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let manifest = engine.manifest(&id)?;
    println!("{} {} runs on http://{}", *manifest.metadata.id, *manifest.metadata.version, listener.local_addr()?);
    axum::serve(listener, api::router(engine, bus)).await?;
    Ok(())
}
