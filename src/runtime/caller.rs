//! Who a call is made for, and what they may do.

use erp_manifest::document::words;
use erp_manifest::{DataScope, PermissionCode, PermissionGrant};
use erp_storage::RowReach;

/// A user, and what they may do.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// UUID.
    pub id: String,
    /// The name that people read.
    pub name: String,
    /// What the user was granted.
    pub permissions: Vec<PermissionGrant>,
    /// Where the user works; none for one who belongs to no department.
    pub department: Option<Department>,
}

/// A department as a data scope needs it.
#[derive(Debug, Clone, Default)]
pub struct Department {
    /// Its id.
    pub id: String,
    /// Ids of its users.
    pub members: Vec<String>,
    /// Ids of the department and of those below it.
    pub tree: Vec<String>,
    /// Ids of the users of all those.
    pub tree_members: Vec<String>,
}

words! {
    /// Whose rows of an entity somebody may see, as guests are told; from the narrowest to the widest.
    pub enum EffectiveScope {
        /// Nobody's: the permission is missing.
        Nobody = "none",
        /// Their own.
        OwnRows = "self",
        /// Those of their department.
        Department = "department",
        /// Those of their department and of the ones below it.
        DepartmentTree = "department_tree",
        /// All.
        All = "all",
    }
}

impl Caller {
    /// True where the user has a permission. Who may manage an entity may list it.
    pub fn may(&self, code: &PermissionCode) -> bool {
        self.scopes(code).next().is_some()
    }

    /// How far a permission of the user reaches; the widest of several grants counts.
    pub fn scope(&self, code: &PermissionCode) -> EffectiveScope {
        self.scopes(code).max().unwrap_or(EffectiveScope::Nobody)
    }

    /// Whose rows a permission of the user reaches. Without the permission that is nobody's.
    pub fn reach(&self, code: &PermissionCode) -> RowReach {
        let own = [self.id.clone()];
        let of = |users: &[String], departments: Vec<String>| {
            let users = own.iter().chain(users).cloned().collect();
            RowReach::Of { users, departments }
        };
        match (self.scope(code), &self.department) {
            (EffectiveScope::All, _) => RowReach::All,
            (EffectiveScope::Nobody, _) => RowReach::Of { users: Vec::new(), departments: Vec::new() },
            (EffectiveScope::OwnRows, _) | (_, None) => of(&[], Vec::new()),
            (EffectiveScope::Department, Some(department)) => of(&department.members, vec![department.id.clone()]),
            (EffectiveScope::DepartmentTree, Some(department)) => of(&department.tree_members, department.tree.clone()),
        }
    }

    fn scopes(&self, code: &PermissionCode) -> impl Iterator<Item = EffectiveScope> {
        self.permissions.iter().filter_map(|grant| grant.reach(code)).map(|level| match level {
            DataScope::OwnRows => EffectiveScope::OwnRows,
            DataScope::Department => EffectiveScope::Department,
            DataScope::DepartmentTree => EffectiveScope::DepartmentTree,
            DataScope::All => EffectiveScope::All,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> PermissionCode {
        PermissionCode::new(text).unwrap()
    }

    #[test]
    fn the_widest_grant_counts() {
        let grants = |grants: &[&str]| Caller {
            id: "u".to_owned(),
            permissions: grants.iter().map(|grant| grant.parse().unwrap()).collect(),
            ..Caller::default()
        };
        assert!(grants(&["order.manage"]).may(&code("order.list")));
        assert!(!grants(&["order.list"]).may(&code("order.manage")));
        assert_eq!(
            grants(&["order.list:self", "order.manage:department"]).scope(&code("order.list")).word(),
            "department"
        );
        assert_eq!(grants(&["*"]).reach(&code("order.list")), RowReach::All);
        let own = RowReach::Of { users: vec!["u".to_owned()], departments: Vec::new() };
        assert_eq!(grants(&["order.*:department"]).reach(&code("order.list")), own);
        assert_eq!(grants(&["item.list"]).scope(&code("order.list")).word(), "none");
    }
}
