//! The users, tenants and departments of the platform.

use std::collections::{BTreeMap, BTreeSet};

use erp_manifest::TenantId;
use erp_runtime::{Caller, Department};

/// A user of a tenant.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The tenant.
    pub tenant: TenantId,
    /// The user's id, name, department and permissions.
    pub caller: Caller,
}

/// Users by their bearer tokens, the tenants and the departments.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    tenants: Vec<TenantId>,
    by_token: BTreeMap<String, Identity>,
    /// Each department's parent.
    parents: BTreeMap<String, Option<String>>,
}

impl Directory {
    /// Adds a user with a bearer token. Add the departments first: their members are computed here.
    pub fn add_user(&mut self, token: impl Into<String>, identity: Identity) {
        self.add_tenant(identity.tenant.clone());
        self.by_token.insert(token.into(), identity);
        self.settle_departments();
    }

    /// Adds a tenant, unless it is known.
    pub fn add_tenant(&mut self, tenant: TenantId) {
        if !self.tenants.contains(&tenant) {
            self.tenants.push(tenant);
        }
    }

    /// Adds a department by its id, below `parent` if it is `Some`.
    pub fn add_department(&mut self, id: impl Into<String>, parent: Option<String>) {
        self.parents.insert(id.into(), parent);
    }

    /// Returns the tenants, in the order in which they were added.
    pub fn tenants(&self) -> &[TenantId] {
        &self.tenants
    }

    /// Returns the users, ordered by tenant and name.
    pub fn users(&self) -> impl Iterator<Item = &Identity> {
        let mut users: Vec<&Identity> = self.by_token.values().collect();
        users.sort_by(|left, right| (&left.tenant, &left.caller.name).cmp(&(&right.tenant, &right.caller.name)));
        users.into_iter()
    }

    /// Returns the departments, each with its parent.
    pub fn departments(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.parents.iter().map(|(id, parent)| (id.as_str(), parent.as_deref()))
    }

    /// Returns the user with this bearer token.
    pub fn user(&self, token: &str) -> Option<&Identity> {
        self.by_token.get(token)
    }

    /// Computes the members of every user's department and of the departments below it.
    fn settle_departments(&mut self) {
        let users: Vec<(TenantId, String, String)> = self
            .by_token
            .values()
            .filter_map(|user| {
                let department = user.caller.department.as_ref()?;
                Some((user.tenant.clone(), user.caller.id.clone(), department.id.clone()))
            })
            .collect();
        let parents = &self.parents;
        for user in self.by_token.values_mut() {
            let Some(department) = &user.caller.department else { continue };
            let own = department.id.clone();
            let is_below = |id: &str| {
                let mut seen = BTreeSet::new();
                let mut at = Some(id);
                while let Some(current) = at.filter(|current| seen.insert(*current)) {
                    if current == own {
                        return true;
                    }
                    at = parents.get(current).and_then(Option::as_deref);
                }
                false
            };
            let in_tenant = users.iter().filter(|(tenant, _, _)| *tenant == user.tenant);
            let members_of = |wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
                in_tenant.clone().filter(|(_, _, id)| wanted(id)).map(|(_, user, _)| user.clone()).collect()
            };
            let mut tree: Vec<String> = parents.keys().filter(|id| is_below(id)).cloned().collect();
            if !tree.contains(&own) {
                tree.push(own.clone());
            }
            user.caller.department = Some(Department {
                members: members_of(&|id| id == own),
                tree_members: members_of(&is_below),
                tree,
                id: own.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departments_know_those_below_them() {
        let mut directory = Directory::default();
        directory.add_department("sales", None);
        directory.add_department("north", Some("sales".to_owned()));
        for (name, department) in [("anna", "sales"), ("ben", "north")] {
            let department = Some(Department { id: department.to_owned(), ..Department::default() });
            let caller = Caller { id: name.to_owned(), department, ..Caller::default() };
            let tenant = TenantId::new("acme").unwrap();
            directory.add_user(name, Identity { tenant, caller });
        }
        let department = |name: &str| directory.user(name).unwrap().caller.department.clone().unwrap();
        assert_eq!(department("anna").tree, ["north", "sales"]);
        assert_eq!(department("anna").members, ["anna"]);
        assert_eq!(department("anna").tree_members, ["anna", "ben"]);
        assert_eq!(department("ben").tree_members, ["ben"]);
    }
}
