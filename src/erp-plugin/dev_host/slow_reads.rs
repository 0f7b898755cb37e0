//! Queries that were too slow for a reader a short time ago: the next requests like them do not occupy one.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use erp_manifest::TenantId;
use erp_platform::Request;
use erp_runtime::lock;

/// How long a slow query is remembered.
const KEPT_FOR: Duration = Duration::from_secs(10);
/// The most slow queries that are remembered.
const KEPT: usize = 256;

/// When a query of a tenant was too slow. A query is the path with the keys of the query string, without their values.
#[derive(Debug, Default)]
pub(super) struct SlowReads(Mutex<BTreeMap<(TenantId, String), Instant>>);

impl SlowReads {
    pub(super) fn note(&self, request: &Request) {
        let Some(key) = key(request) else { return };
        let mut slow = lock(&self.0);
        slow.retain(|_, since| since.elapsed() < KEPT_FOR);
        if slow.len() < KEPT {
            slow.insert(key, Instant::now());
        }
    }

    pub(super) fn contains(&self, request: &Request) -> bool {
        let slow = lock(&self.0);
        // Usually the map is empty; then no key is built for the lookup.
        !slow.is_empty() && key(request).and_then(|key| slow.get(&key)).is_some_and(|since| since.elapsed() < KEPT_FOR)
    }
}

fn key(request: &Request) -> Option<(TenantId, String)> {
    let tenant = request.identity.as_ref()?.tenant.clone();
    let keys: Vec<&str> = request.query.iter().map(|(key, _)| key.as_str()).collect();
    Some((tenant, format!("{}?{}", request.path, keys.join("&"))))
}
