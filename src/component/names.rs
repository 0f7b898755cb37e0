//! Names at a component's border that the platform does not use, and that readers of WIT fail on: addresses, digests
//! and dependencies to be resolved, and functions that are named like interfaces.

use wasmparser::names::{ComponentName, ComponentNameKind};
use wasmparser::{ComponentType, ComponentTypeDeclaration, ComponentTypeRef, InstanceTypeDeclaration};

/// Returns why a name is refused. An invalid name is left to the validator.
pub(super) fn foreign(name: &str, is_function: bool) -> Option<String> {
    let parsed = ComponentName::new(name, 0).ok()?;
    match parsed.kind() {
        ComponentNameKind::Url(_) => Some(format!("`{name}` is an address to load something from")),
        ComponentNameKind::Hash(_) => Some(format!("`{name}` is the digest of something to load")),
        ComponentNameKind::Dependency(_) => Some(format!("`{name}` is a dependency that a registry would resolve")),
        ComponentNameKind::Interface(_) if is_function => {
            Some(format!("the function `{name}` is named like an interface"))
        }
        _ => None,
    }
}

/// Returns why a name in a type is refused.
pub(super) fn foreign_in(ty: &ComponentType<'_>) -> Option<String> {
    let of = |name: &str, ty: &ComponentTypeRef| foreign(name, matches!(ty, ComponentTypeRef::Func(_)));
    match ty {
        ComponentType::Component(declarations) => declarations.iter().find_map(|declaration| match declaration {
            ComponentTypeDeclaration::Import(import) => of(import.name.name, &import.ty),
            ComponentTypeDeclaration::Export { name, ty } => of(name.name, ty),
            ComponentTypeDeclaration::Type(ty) => foreign_in(ty),
            _ => None,
        }),
        ComponentType::Instance(declarations) => declarations.iter().find_map(|declaration| match declaration {
            InstanceTypeDeclaration::Export { name, ty } => of(name.name, ty),
            InstanceTypeDeclaration::Type(ty) => foreign_in(ty),
            _ => None,
        }),
        _ => None,
    }
}
