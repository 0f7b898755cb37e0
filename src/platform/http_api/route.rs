//! The declaration of a route.

use erp_manifest::PermissionCode;

use super::routes::{Operation, PlatformOperation};
use super::shape::{BodyShape, RequestShape};

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are HTTP's own")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// Returns the method as in a request, in upper case.
    pub const fn word(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// Returns the key below an OpenAPI path, in lower case.
    pub fn key(self) -> String {
        self.word().to_ascii_lowercase()
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone, also without a token.
    Public,
    /// Everyone with a token.
    User,
    /// Users with this permission.
    Permission(&'static PermissionCode),
    /// Users who may list rows of the entity in the path: `<entity>.list`.
    ListEntity,
    /// Users who may change rows of the entity in the path: `<entity>.manage`.
    ManageEntity,
    /// Users with the permission of the page or action in the path.
    Declared,
}

/// What answering a request touches. Requests of one effect are answered in parallel to those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// It reads, for a short time.
    Reads,
    /// It reads, and may take a long time.
    ReadsLong,
    /// It writes rows without calling a plugin: such requests are committed together.
    WritesRows,
    /// It calls a plugin, or writes for a long time.
    Calls,
    /// It changes the set of plugins. No call runs and no row is written at the same time.
    ChangesPlugins,
    /// It changes the platform itself: faults, the clock, users, keys.
    ChangesPlatform,
}

impl Effect {
    /// Returns whether the request changes nothing.
    pub const fn only_reads(self) -> bool {
        matches!(self, Effect::Reads | Effect::ReadsLong)
    }
}

/// A key of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryKey {
    /// The name.
    pub name: &'static str,
    /// The description for the docs and OpenAPI.
    pub about: &'static str,
    /// The values that it accepts.
    pub value: QueryValue,
}

/// The values that a key of the query accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryValue {
    /// Any text.
    Text,
    /// Any text; the key is required.
    RequiredText,
    /// A whole number, at least this one.
    Number(u64),
    /// A whole number: minimum, maximum and default.
    NumberBetween(u64, u64, u64),
    /// One of these words; the first is the default.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
}

/// The entities that have a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exists {
    /// Always.
    Always,
    /// For entities with `importable = true`.
    Importable,
    /// For entities with `exportable = true`.
    Exportable,
    /// Once for each action of an entity.
    PerAction,
}

/// The only declaration of a route. The router, OpenAPI and `docs/http-api.md` are made from it.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The operation that answers it.
    pub operation: Operation,
    /// The `operationId` of OpenAPI; follows the entity's name if the path has one.
    pub id: &'static str,
    /// The method.
    pub method: Method,
    /// The path: `{name}` stands for a segment, `{name...}` for all that follow.
    pub path: &'static str,
    /// What the route does, in a few words that begin with a verb.
    pub summary: &'static str,
    /// More information for the docs; empty if there is none.
    pub about: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Keys of the query; others are refused.
    pub query: &'static [QueryKey],
    /// The body of the request.
    pub request: RequestShape,
    /// The status of success.
    pub status: u16,
    /// Another status of success with the same response.
    pub also: Option<u16>,
    /// The body of a successful response.
    pub answer: BodyShape,
    /// What answering a request touches.
    pub effect: Effect,
    /// The entities that have the route.
    pub exists: Exists,
}

impl Route {
    const fn new(method: Method, operation: Operation, id: &'static str, path: &'static str) -> Route {
        let effect = match method {
            Method::Get => Effect::Reads,
            Method::Post | Method::Put | Method::Patch | Method::Delete => Effect::ChangesPlatform,
        };
        Route {
            operation,
            id,
            method,
            path,
            summary: "",
            about: "",
            access: Access::User,
            query: &[],
            request: RequestShape::Nothing,
            status: 200,
            also: None,
            answer: BodyShape::Object,
            effect,
            exists: Exists::Always,
        }
    }

    pub(super) const fn get(operation: Operation, id: &'static str, path: &'static str) -> Route {
        Route::new(Method::Get, operation, id, path)
    }

    pub(super) const fn post(operation: Operation, id: &'static str, path: &'static str) -> Route {
        Route::new(Method::Post, operation, id, path)
    }

    pub(super) const fn put(operation: Operation, id: &'static str, path: &'static str) -> Route {
        Route::new(Method::Put, operation, id, path)
    }

    pub(super) const fn patch(operation: Operation, id: &'static str, path: &'static str) -> Route {
        Route::new(Method::Patch, operation, id, path)
    }

    pub(super) const fn delete(operation: Operation, id: &'static str, path: &'static str) -> Route {
        Route::new(Method::Delete, operation, id, path)
    }

    pub(super) const fn does(self, summary: &'static str, about: &'static str) -> Route {
        Route { summary, about, ..self }
    }

    pub(super) const fn needs(self, access: Access) -> Route {
        Route { access, ..self }
    }

    pub(super) const fn asks(self, query: &'static [QueryKey]) -> Route {
        Route { query, ..self }
    }

    pub(super) const fn takes(self, request: RequestShape) -> Route {
        Route { request, ..self }
    }

    pub(super) const fn gives(self, status: u16, answer: BodyShape) -> Route {
        Route { status, answer, ..self }
    }

    pub(super) const fn or(self, status: u16) -> Route {
        Route { also: Some(status), ..self }
    }

    pub(super) const fn effect(self, effect: Effect) -> Route {
        Route { effect, ..self }
    }

    pub(super) const fn exists(self, exists: Exists) -> Route {
        Route { exists, ..self }
    }

    /// Returns the names of the path parameters, in order.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        segments(self.path).filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Value(name) | Segment::Rest(name) => Some(name),
        })
    }

    /// Returns whether the path leads to the rows of an entity.
    pub fn is_of_entity(&self) -> bool {
        matches!(self.operation, Operation::Platform(_)) && self.path.starts_with(ENTITY_ROWS)
    }

    /// Returns the path below the rows of an entity, such as `/{id}/history`; `None` for other paths.
    pub fn below_entity(&self) -> Option<&'static str> {
        self.path.strip_prefix(ENTITY_ROWS).filter(|_| self.is_of_entity())
    }

    /// Returns the platform's operation; `None` if the dev host answers.
    pub fn platform_operation(&self) -> Option<PlatformOperation> {
        match self.operation {
            Operation::Platform(operation) => Some(operation),
            Operation::DevHost(_) => None,
        }
    }
}

/// The path of an entity's rows.
pub(super) const ENTITY_ROWS: &str = "/api/v1/plugins/{plugin}/{entity}";

/// A part of a path between two slashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(&'static str),
    Value(&'static str),
    Rest(&'static str),
}

pub(super) fn segments(path: &'static str) -> impl Iterator<Item = Segment> {
    path.trim_matches('/').split('/').map(|segment| match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
        None => Segment::Literal(segment),
        Some(name) => name.strip_suffix("...").map_or(Segment::Value(name), Segment::Rest),
    })
}
