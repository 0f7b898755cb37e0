//! The platform's users. A real platform reads its own tables; a token here is a name and a tenant.

use erp_manifest::TenantId;
use erp_runtime::Caller;

/// A user who is logged in.
#[derive(Debug, Clone)]
pub struct User {
    pub tenant: TenantId,
    pub caller: Caller,
}

/// The users that may call: any name, in one of the known tenants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Users;

impl Users {
    pub const TENANTS: [&str; 8] = ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"];

    /// The user of `authorization: Bearer <name>@<tenant>`.
    pub fn of_header(header: Option<&str>) -> Option<User> {
        let (name, tenant) = header?.strip_prefix("Bearer ")?.split_once('@')?;
        let known = Users::TENANTS.contains(&tenant).then(|| TenantId::new(tenant))?;
        let caller = Caller { id: name.to_owned(), name: name.to_owned(), ..Caller::default() };
        Some(User { tenant: known?, caller })
    }
}
