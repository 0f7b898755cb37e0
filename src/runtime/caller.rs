//! The user that a call is made for, and their permissions.

use erp_manifest::document::words;
use erp_manifest::{DataScope, PermissionCode, PermissionGrant};
use erp_storage::RowReach;

/// A user with their permissions and department.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The user's UUID.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The granted permissions.
    pub permissions: Vec<PermissionGrant>,
    /// The user's department; none if the user belongs to none.
    pub department: Option<Department>,
}

/// A department, with the data that data scopes need.
#[derive(Debug, Clone, Default)]
pub struct Department {
    /// The id of the department.
    pub id: String,
    /// Ids of its users.
    pub members: Vec<String>,
    /// Ids of the department and of those below it.
    pub tree: Vec<String>,
    /// Ids of the users of all departments in `tree`.
    pub tree_members: Vec<String>,
}

words! {
    /// Whose rows of an entity a user may see, in the words that guests receive; from the narrowest to the widest.
    pub enum EffectiveScope {
        /// No rows: the permission is missing.
        Nobody = "none",
        /// The user's own rows.
        OwnRows = "self",
        /// Rows of the user's department.
        Department = "department",
        /// Rows of the user's department and of those below it.
        DepartmentTree = "department_tree",
        /// All rows.
        All = "all",
    }
}

impl Caller {
    /// True if the user has a permission. A user who may manage an entity may also list it.
    pub fn may(&self, code: &PermissionCode) -> bool {
        self.scopes(code).next().is_some()
    }

    /// Returns how far a permission of the user reaches; the widest of several grants counts.
    pub fn scope(&self, code: &PermissionCode) -> EffectiveScope {
        self.scopes(code).max().unwrap_or(EffectiveScope::Nobody)
    }

    /// Returns the rows that a permission of the user reaches; none without the permission.
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
