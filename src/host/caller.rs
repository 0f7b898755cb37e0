//! Who a call is made for, and what they may do.

use crate::document::words;
use crate::manifest::DataScope;
use crate::store::RowReach;

/// A user, and what they may do.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// UUID.
    pub id: String,
    /// The name that people read.
    pub name: String,
    /// Permission codes; `*` stands for all, `entity.*` for all of an entity. A level behind a colon, such as
    /// `order.list:department`, says whose rows the permission reaches.
    pub permissions: Vec<String>,
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

/// A permission as it is granted: its code, and how far it reaches.
pub(crate) fn split_grant(granted: &str) -> (&str, Option<&str>) {
    match granted.split_once(':') {
        Some((code, level)) => (code, Some(level)),
        None => (granted, None),
    }
}

impl Caller {
    /// True where the user has a permission. Who may manage an entity may list it.
    pub fn may(&self, code: &str) -> bool {
        self.scopes(code).next().is_some()
    }

    /// How far a permission of the user reaches; the widest of several grants counts.
    pub fn scope(&self, code: &str) -> EffectiveScope {
        self.scopes(code).max().unwrap_or(EffectiveScope::Nobody)
    }

    /// Whose rows a permission of the user reaches. Without the permission that is nobody's.
    pub fn reach(&self, code: &str) -> RowReach {
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

    fn scopes(&self, code: &str) -> impl Iterator<Item = EffectiveScope> {
        let (entity, action) = code.split_once('.').unwrap_or((code, ""));
        self.permissions.iter().filter_map(move |granted| {
            let (granted, level) = split_grant(granted);
            let gives = granted == "*"
                || granted == code
                || granted.strip_suffix(".*").is_some_and(|prefix| prefix == entity)
                || (action == "list" && granted.strip_suffix(".manage").is_some_and(|prefix| prefix == entity));
            gives.then(|| match level.and_then(DataScope::from_word) {
                Some(DataScope::OwnRows) => EffectiveScope::OwnRows,
                Some(DataScope::Department) => EffectiveScope::Department,
                Some(DataScope::DepartmentTree) => EffectiveScope::DepartmentTree,
                // A level that nobody knows reaches nothing more than the user's own.
                None if level.is_some() => EffectiveScope::OwnRows,
                Some(DataScope::All) | None => EffectiveScope::All,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_grant_counts() {
        let grants = |grants: &[&str]| Caller {
            id: "u".to_owned(),
            permissions: grants.iter().map(|grant| (*grant).to_owned()).collect(),
            ..Caller::default()
        };
        assert!(grants(&["order.manage"]).may("order.list"));
        assert!(!grants(&["order.list"]).may("order.manage"));
        assert_eq!(grants(&["order.list:self", "order.manage:department"]).scope("order.list").word(), "department");
        assert_eq!(grants(&["*"]).reach("order.list"), RowReach::All);
        let own = RowReach::Of { users: vec!["u".to_owned()], departments: Vec::new() };
        assert_eq!(grants(&["order.*:department"]).reach("order.list"), own);
        assert_eq!(grants(&["item.list"]).scope("order.list").word(), "none");
    }
}
