//! Types of functions, without the place of their declaration, so that two of them can be compared.

use std::fmt;

use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind};

/// The structure of a type. Names of records and variants are only for display: two types with the same structure are
/// equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeShape {
    /// `u32`, `string`, `bool`, …
    Primitive(&'static str),
    /// Named fields.
    Record(NamedParts<TypeShape>),
    /// Named cases, some with a value.
    Variant(NamedParts<Option<TypeShape>>),
    /// Named cases without values.
    Enum(NamedParts<()>),
    /// Named flags.
    Flags(NamedParts<()>),
    /// Values without names, in order.
    Tuple(Vec<TypeShape>),
    /// A list of a type, with its length if that is fixed.
    List(Box<TypeShape>, Option<u32>),
    /// An optional value.
    Option(Box<TypeShape>),
    /// A value or an error.
    Result(Option<Box<TypeShape>>, Option<Box<TypeShape>>),
    /// A handle: the name of its resource, and whether it is borrowed.
    Handle(String, bool),
    /// Any other kind of type, such as a resource, a future, a stream or a map: the name of the kind.
    Other(&'static str),
}

/// The named parts of a type, in order. The name of the type itself does not count in comparisons.
#[derive(Debug, Clone)]
pub struct NamedParts<T> {
    /// The name of the type, for display.
    pub name: String,
    /// The parts.
    pub parts: Vec<(String, T)>,
}

impl<T: PartialEq> PartialEq for NamedParts<T> {
    fn eq(&self, other: &NamedParts<T>) -> bool {
        self.parts == other.parts
    }
}

impl<T: Eq> Eq for NamedParts<T> {}

/// The parameters and the result of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Parameters by name, in order.
    pub params: Vec<(String, TypeShape)>,
    /// The type of the result; `None` if the function returns nothing.
    pub result: Option<TypeShape>,
}

/// A difference between two signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeDifference {
    /// The part that differs: `parameter row`, `the result, error, field code`.
    pub place: String,
    /// The type in the first signature.
    pub found: String,
    /// The type in the second signature.
    pub offered: String,
}

impl Signature {
    /// The signature of a function.
    pub(super) fn of(resolve: &Resolve, function: &Function) -> Signature {
        Signature {
            params: function.params.iter().map(|param| (param.name.clone(), shape(resolve, param.ty))).collect(),
            result: function.result.map(|result| shape(resolve, result)),
        }
    }

    /// Returns the first difference between the signatures.
    pub fn difference(&self, offered: &Signature) -> Option<ShapeDifference> {
        if self == offered {
            return None;
        }
        let one_difference =
            |place: String, found: String, offered: String| Some(ShapeDifference { place, found, offered });
        if self.params.len() != offered.params.len() {
            return one_difference("the parameters".to_owned(), self.to_string(), offered.to_string());
        }
        for ((name, found), (other, wanted)) in self.params.iter().zip(&offered.params) {
            if name != other {
                return one_difference("the parameters".to_owned(), self.to_string(), offered.to_string());
            }
            if found != wanted {
                return Some(found.difference(wanted, format!("parameter `{name}`")));
            }
        }
        match (&self.result, &offered.result) {
            (Some(found), Some(wanted)) => Some(found.difference(wanted, "the result".to_owned())),
            (found, wanted) => {
                let shown =
                    |result: &Option<TypeShape>| result.as_ref().map_or("nothing".to_owned(), ToString::to_string);
                one_difference("the result".to_owned(), shown(found), shown(wanted))
            }
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<String> = self.params.iter().map(|(name, shape)| format!("{name}: {shape}")).collect();
        write!(f, "func({})", params.join(", "))?;
        self.result.as_ref().map_or(Ok(()), |result| write!(f, " -> {result}"))
    }
}

impl TypeShape {
    /// Returns the innermost difference between two types; `place` is the path to them.
    fn difference(&self, offered: &TypeShape, place: String) -> ShapeDifference {
        let inner = match (self, offered) {
            (TypeShape::Record(found), TypeShape::Record(wanted)) => {
                named(found, wanted, "field", |one, other| (one != other).then_some((Some(one), Some(other))))
            }
            (TypeShape::Variant(found), TypeShape::Variant(wanted)) => {
                named(found, wanted, "case", |one, other| (one != other).then_some((one.as_ref(), other.as_ref())))
            }
            (TypeShape::List(found, size), TypeShape::List(wanted, other)) if size == other => {
                Some(("item".to_owned(), &**found, &**wanted))
            }
            (TypeShape::Option(found), TypeShape::Option(wanted)) => Some(("value".to_owned(), &**found, &**wanted)),
            (TypeShape::Result(ok, error), TypeShape::Result(wanted_ok, wanted_error)) => {
                let part = |name: &str, one: &'_ Option<Box<TypeShape>>, other: &'_ Option<Box<TypeShape>>| {
                    (one != other).then(|| name.to_owned())
                };
                match (part("value", ok, wanted_ok), ok, wanted_ok, error, wanted_error) {
                    (Some(name), Some(one), Some(other), _, _) => Some((name, &**one, &**other)),
                    (None, _, _, Some(one), Some(other)) => Some(("error".to_owned(), &**one, &**other)),
                    _ => None,
                }
            }
            _ => None,
        };
        match inner {
            Some((name, found, wanted)) => found.difference(wanted, format!("{place}, {name}")),
            None => ShapeDifference { place, found: self.whole(), offered: offered.whole() },
        }
    }

    /// The type with its parts, one level deep.
    fn whole(&self) -> String {
        let list = |name: &str, kind: &str, parts: Vec<String>| format!("{kind} {name} {{ {} }}", parts.join(", "));
        match self {
            TypeShape::Record(parts) => list(
                &parts.name,
                "record",
                parts.parts.iter().map(|(name, shape)| format!("{name}: {shape}")).collect(),
            ),
            TypeShape::Variant(cases) => {
                let case = |(name, shape): &(String, Option<TypeShape>)| match shape {
                    Some(shape) => format!("{name}({shape})"),
                    None => name.clone(),
                };
                list(&cases.name, "variant", cases.parts.iter().map(case).collect())
            }
            TypeShape::Enum(cases) => {
                list(&cases.name, "enum", cases.parts.iter().map(|(name, ())| name.clone()).collect())
            }
            TypeShape::Flags(flags) => {
                list(&flags.name, "flags", flags.parts.iter().map(|(name, ())| name.clone()).collect())
            }
            other => other.to_string(),
        }
    }
}

/// Returns the only part in which two types differ. `None` if the names of their parts differ, or more than one part.
fn named<'s, T>(
    found: &'s NamedParts<T>,
    wanted: &'s NamedParts<T>,
    kind: &str,
    differs: impl Fn(&'s T, &'s T) -> Option<(Option<&'s TypeShape>, Option<&'s TypeShape>)>,
) -> Option<(String, &'s TypeShape, &'s TypeShape)> {
    let names = |named: &NamedParts<T>| named.parts.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(found) != names(wanted) {
        return None;
    }
    let mut different = found.parts.iter().zip(&wanted.parts).filter_map(|((name, one), (_, other))| {
        let (one, other) = differs(one, other)?;
        Some((format!("{kind} `{name}`"), one?, other?))
    });
    let first = different.next();
    if different.next().is_some() { None } else { first }
}

impl fmt::Display for TypeShape {
    /// Writes WIT syntax; a named type is written by its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeShape::Primitive(name) | TypeShape::Other(name) => f.write_str(name),
            TypeShape::Record(named) => f.write_str(&named.name),
            TypeShape::Variant(named) => f.write_str(&named.name),
            TypeShape::Enum(named) | TypeShape::Flags(named) => f.write_str(&named.name),
            TypeShape::Tuple(parts) => {
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                write!(f, "tuple<{}>", parts.join(", "))
            }
            TypeShape::List(item, None) => write!(f, "list<{item}>"),
            TypeShape::List(item, Some(size)) => write!(f, "list<{item}, {size}>"),
            TypeShape::Option(value) => write!(f, "option<{value}>"),
            TypeShape::Result(None, None) => f.write_str("result"),
            TypeShape::Result(Some(value), None) => write!(f, "result<{value}>"),
            TypeShape::Result(value, Some(error)) => {
                write!(f, "result<{}, {error}>", value.as_ref().map_or("_".to_owned(), ToString::to_string))
            }
            TypeShape::Handle(name, true) => write!(f, "borrow<{name}>"),
            TypeShape::Handle(name, false) => f.write_str(name),
        }
    }
}

/// Returns the structure of a type. WIT has no recursive types, so this always ends.
pub(super) fn shape(resolve: &Resolve, ty: Type) -> TypeShape {
    let Type::Id(id) = ty else { return TypeShape::Primitive(primitive(ty)) };
    let definition = &resolve.types[id];
    let name = definition.name.clone().unwrap_or_else(|| definition.kind.as_str().to_owned());
    let boxed = |ty: Type| Box::new(shape(resolve, ty));
    match &definition.kind {
        TypeDefKind::Type(inner) => shape(resolve, *inner),
        TypeDefKind::Record(record) => {
            let parts = record.fields.iter().map(|field| (field.name.clone(), shape(resolve, field.ty))).collect();
            TypeShape::Record(NamedParts { name, parts })
        }
        TypeDefKind::Variant(variant) => {
            let case = |case: &wit_parser::Case| (case.name.clone(), case.ty.map(|ty| shape(resolve, ty)));
            TypeShape::Variant(NamedParts { name, parts: variant.cases.iter().map(case).collect() })
        }
        TypeDefKind::Enum(cases) => TypeShape::Enum(NamedParts {
            name,
            parts: cases.cases.iter().map(|case| (case.name.clone(), ())).collect(),
        }),
        TypeDefKind::Flags(flags) => TypeShape::Flags(NamedParts {
            name,
            parts: flags.flags.iter().map(|flag| (flag.name.clone(), ())).collect(),
        }),
        TypeDefKind::Tuple(tuple) => TypeShape::Tuple(tuple.types.iter().map(|ty| shape(resolve, *ty)).collect()),
        TypeDefKind::List(item) => TypeShape::List(boxed(*item), None),
        TypeDefKind::FixedLengthList(item, size) => TypeShape::List(boxed(*item), Some(*size)),
        TypeDefKind::Option(value) => TypeShape::Option(boxed(*value)),
        TypeDefKind::Result(result) => TypeShape::Result(result.ok.map(boxed), result.err.map(boxed)),
        TypeDefKind::Handle(handle) => {
            let (id, borrowed) = match handle {
                Handle::Own(id) => (*id, false),
                Handle::Borrow(id) => (*id, true),
            };
            TypeShape::Handle(resolve.types[id].name.clone().unwrap_or_default(), borrowed)
        }
        other => TypeShape::Other(other.as_str()),
    }
}

fn primitive(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(_) => "type",
    }
}
