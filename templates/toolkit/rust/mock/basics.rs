//! A host for unit tests, so that `cargo test` needs no WebAssembly: log, context, clock.
//!
//! It does what business logic builds on, no more: `erp-plugin test` runs the real component against a strict host.

use std::cell::RefCell;

use super::Mock;

thread_local! {
    static MOCK: RefCell<Mock> = RefCell::new(Mock::default());
}

/// Begins a test: an empty host of this thread.
pub fn start() {
    MOCK.with(|mock| *mock.borrow_mut() = Mock::default());
}

/// Looks into the host, or prepares it.
pub fn with<T>(look: impl FnOnce(&mut Mock) -> T) -> T {
    MOCK.with(|mock| look(&mut mock.borrow_mut()))
}

pub mod host_log {
    pub use super::super::super::bindings::erp::plugin::host_log::Level;

    pub fn log(level: Level, message: &str, _fields: Option<&str>) {
        super::with(|mock| mock.logs.push((format!("{level:?}"), message.to_owned())));
    }
}

pub mod host_context {
    pub use super::super::super::bindings::erp::plugin::types::{CallContext, Error};

    pub fn current() -> CallContext {
        CallContext {
            request_id: "test".to_owned(),
            plugin_id: "test".to_owned(),
            tenant_id: "acme".to_owned(),
            user_id: super::with(|mock| mock.user.clone()),
            trigger: "call".to_owned(),
            locale: "zh-CN".to_owned(),
            extra: "{}".to_owned(),
        }
    }

    pub fn current_user() -> Result<String, Error> {
        let user = super::with(|mock| mock.user.clone());
        let user = user.ok_or_else(|| super::super::refuse("auth.anonymous", "nobody calls"))?;
        Ok(format!(r#"{{"id":"{user}","name":"{user}","permissions":[]}}"#))
    }

    pub fn check_permission(code: &str) -> bool {
        super::with(|mock| mock.permissions.iter().any(|granted| granted == code))
    }

    pub fn data_scope(_entity: &str, _action: &str) -> String {
        "all".to_owned()
    }
}

pub mod host_clock {
    pub fn now() -> u64 {
        super::with(|mock| mock.now_ns)
    }

    pub fn monotonic_now() -> u64 {
        super::with(|mock| mock.now_ns)
    }

    pub fn random_u64() -> u64 {
        super::with(|mock| {
            mock.random = mock.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            mock.random
        })
    }

    pub fn random_bytes(len: u32) -> Vec<u8> {
        (0..len).map(|_| random_u64().to_le_bytes()[7]).collect()
    }

    pub fn uuid_v7() -> String {
        super::with(|mock| mock.next_id())
    }
}
