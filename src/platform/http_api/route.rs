//! What is known of a route before it is asked for anything.

use erp_manifest::PermissionCode;

use super::routes::{Operation, PlatformOperation};
use super::shape::{BodyShape, RequestShape};

/// A method of HTTP.
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
    /// As it is in a request.
    pub const fn word(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// The key of an OpenAPI path.
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

/// What answering a request touches. Requests of one kind are answered beside those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// It reads, and is done soon.
    Reads,
    /// It reads, and may take long.
    ReadsLong,
    /// It writes rows without calling a plugin: such requests are committed together.
    WritesRows,
    /// It calls a plugin, or writes for long.
    Calls,
    /// It changes what plugins there are: no call runs and no row is written meanwhile.
    ChangesPlugins,
    /// It changes the platform itself: faults, the clock, users, keys.
    ChangesPlatform,
}

impl Effect {
    /// Whether nothing is changed.
    pub const fn only_reads(self) -> bool {
        matches!(self, Effect::Reads | Effect::ReadsLong)
    }
}

/// A key of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryKey {
    /// The name.
    pub name: &'static str,
    /// What it means, for people.
    pub about: &'static str,
    /// What it takes.
    pub value: QueryValue,
}

/// What a key of the query takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryValue {
    /// Any text.
    Text,
    /// Text that must come.
    RequiredText,
    /// A whole number from this one on.
    Number(u64),
    /// A whole number within bounds, and what counts without it.
    NumberBetween(u64, u64, u64),
    /// One of these words; the first counts without it.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
}

/// Where a route exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exists {
    /// Always.
    Always,
    /// For entities that say `importable = true`.
    Importable,
    /// For entities that say `exportable = true`.
    Exportable,
    /// Once for each button of an entity.
    PerAction,
}

/// A route: the one place that says what it is. The router, OpenAPI and `docs/http-api.md` are made from it.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// What answers it.
    pub operation: Operation,
    /// The `operationId` of OpenAPI; behind an entity's name where the path has one.
    pub id: &'static str,
    /// The method.
    pub method: Method,
    /// The path: `{name}` stands for a segment, `{name...}` for all that follow.
    pub path: &'static str,
    /// What it does, in a few words that begin with a verb.
    pub summary: &'static str,
    /// What a reader of the docs should know besides.
    pub about: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Keys of the query; others are refused.
    pub query: &'static [QueryKey],
    /// What the request carries.
    pub request: RequestShape,
    /// The status of success.
    pub status: u16,
    /// Another one with the same answer.
    pub also: Option<u16>,
    /// What the answer carries then.
    pub answer: BodyShape,
    /// What answering touches.
    pub effect: Effect,
    /// Where it exists.
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

    /// The names of the path's parameters, in their order.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        segments(self.path).filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Value(name) | Segment::Rest(name) => Some(name),
        })
    }

    /// Whether the path leads to the rows of an entity.
    pub fn is_of_entity(&self) -> bool {
        matches!(self.operation, Operation::Platform(_)) && self.path.starts_with(ENTITY_ROWS)
    }

    /// The path below the rows of an entity, such as `/{id}/history`; none for another path.
    pub fn below_entity(&self) -> Option<&'static str> {
        self.path.strip_prefix(ENTITY_ROWS).filter(|_| self.is_of_entity())
    }

    /// The platform's own operation; none where the dev host answers.
    pub fn platform_operation(&self) -> Option<PlatformOperation> {
        match self.operation {
            Operation::Platform(operation) => Some(operation),
            Operation::DevHost(_) => None,
        }
    }
}

/// Where the rows of entities are.
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
