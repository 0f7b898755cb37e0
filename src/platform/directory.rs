//! Who may use the platform.

use std::collections::BTreeMap;

use crate::host::Caller;
use crate::manifest::TenantId;

/// A user of a tenant.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The tenant.
    pub tenant: TenantId,
    /// Who it is and what they may do.
    pub caller: Caller,
}

/// Users by their bearer tokens, and the tenants.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    tenants: Vec<TenantId>,
    by_token: BTreeMap<String, Identity>,
}

impl Directory {
    /// Adds a user with a token.
    pub fn add_user(&mut self, token: impl Into<String>, identity: Identity) {
        self.add_tenant(identity.tenant.clone());
        self.by_token.insert(token.into(), identity);
    }

    /// Adds a tenant.
    pub fn add_tenant(&mut self, tenant: TenantId) {
        if !self.tenants.contains(&tenant) {
            self.tenants.push(tenant);
        }
    }

    /// The tenants, in the order in which they came.
    pub fn tenants(&self) -> &[TenantId] {
        &self.tenants
    }

    /// The user of a token.
    pub fn user(&self, token: &str) -> Option<&Identity> {
        self.by_token.get(token)
    }
}
