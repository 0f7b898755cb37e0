//! Measures the types that the parts of a component pass to each other, and counts the functions that pass them.

use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentDefinedType, ComponentExternalKind, ComponentOuterAliasKind,
    ComponentType, ComponentTypeRef, ComponentValType,
};

/// The sizes of the types of a component and of the components around it.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    types: Vec<u64>,
    outer: Vec<Vec<u64>>,
    largest: u64,
    lowered: u64,
}

impl Shapes {
    pub(super) fn enter(&mut self) {
        self.outer.push(std::mem::take(&mut self.types));
    }

    pub(super) fn leave(&mut self) {
        self.types = self.outer.pop().unwrap_or_default();
    }

    pub(super) fn add(&mut self, ty: &ComponentType<'_>) {
        let size = match ty {
            ComponentType::Defined(ty) => self.defined(ty),
            ComponentType::Func(ty) => {
                let parameters = ty.params.iter().map(|(_, ty)| *ty);
                self.all(parameters.chain(ty.result))
            }
            ComponentType::Component(_) | ComponentType::Instance(_) | ComponentType::Resource { .. } => 1,
        };
        self.largest = self.largest.max(size);
        self.types.push(size);
    }

    /// Adds an imported type with the size of the type that it equals, or 1 for a resource.
    pub(super) fn add_named(&mut self, ty: &ComponentTypeRef) {
        if let ComponentTypeRef::Type(bounds) = ty {
            let size = match bounds {
                wasmparser::TypeBounds::Eq(index) => self.of_index(*index),
                wasmparser::TypeBounds::SubResource => 1,
            };
            self.types.push(size);
        }
    }

    /// Adds an exported type, since an export gives it another index.
    pub(super) fn add_export(&mut self, kind: ComponentExternalKind, index: u32) {
        if kind == ComponentExternalKind::Type {
            let size = self.of_index(index);
            self.types.push(size);
        }
    }

    pub(super) fn add_alias(&mut self, alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, count, index } => {
                let around = (*count as usize).checked_sub(1);
                let frame = around.and_then(|around| self.outer.iter().rev().nth(around)).unwrap_or(&self.types);
                let size = frame.get(*index as usize).copied().unwrap_or(1);
                self.types.push(size);
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Type, .. } => self.types.push(1),
            _ => {}
        }
    }

    pub(super) fn add_function(&mut self, function: &CanonicalFunction) {
        self.lowered += u64::from(matches!(function, CanonicalFunction::Lower { .. }));
    }

    /// Returns the estimated cost of the code that passes values between parts.
    pub(super) fn adapters(&self) -> u64 {
        self.lowered.saturating_mul(self.largest)
    }

    fn of_index(&self, index: u32) -> u64 {
        self.types.get(index as usize).copied().unwrap_or(1)
    }

    fn of(&self, ty: ComponentValType) -> u64 {
        match ty {
            ComponentValType::Primitive(_) => 1,
            ComponentValType::Type(index) => self.of_index(index),
        }
    }

    fn all(&self, types: impl IntoIterator<Item = ComponentValType>) -> u64 {
        types.into_iter().fold(1, |sum: u64, ty| sum.saturating_add(self.of(ty)))
    }

    fn defined(&self, ty: &ComponentDefinedType<'_>) -> u64 {
        use ComponentDefinedType as Defined;
        match ty {
            Defined::Record(fields) => self.all(fields.iter().map(|(_, ty)| *ty)),
            Defined::Variant(cases) => {
                self.all(cases.iter().filter_map(|case| case.ty)).saturating_add(cases.len() as u64)
            }
            Defined::List(ty) | Defined::Option(ty) => self.all([*ty]),
            Defined::Map(key, value) => self.all([*key, *value]),
            Defined::FixedLengthList(ty, length) => self.of(*ty).saturating_mul(u64::from(*length)).saturating_add(1),
            Defined::Tuple(types) => self.all(types.iter().copied()),
            Defined::Flags(names) => 1 + names.len() as u64 / 32,
            Defined::Enum(names) => 1 + names.len() as u64 / 32,
            Defined::Result { ok, err } => self.all(ok.iter().chain(err).copied()),
            Defined::Future(ty) | Defined::Stream(ty) => self.all(*ty),
            Defined::Primitive(_) | Defined::Own(_) | Defined::Borrow(_) => 1,
        }
    }
}
