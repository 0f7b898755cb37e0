//! The shapes of request and response bodies.

/// The body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestShape {
    /// Nothing.
    Nothing,
    /// JSON.
    Json(BodyShape),
    /// JSON, or nothing.
    MayBeJson(BodyShape),
    /// Rows, as JSON or as CSV.
    Rows,
    /// A package.
    Package,
    /// Bytes of any media type.
    Bytes,
}

/// The shape of a body. The first six have schemas of the entity's own if the path names an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyShape {
    /// A row.
    Row,
    /// A page of rows.
    Page,
    /// The fields of all rows, without what the platform adds; or CSV.
    File,
    /// The fields of a new row.
    Create,
    /// All fields of a row and the version that was seen.
    Replace,
    /// Some fields of a row and the version that was seen.
    Update,
    /// Nothing.
    Nothing,
    /// A schema of [`schemas`](super::schemas).
    Named(&'static str),
    /// A list of values of a schema of [`schemas`](super::schemas).
    ListOf(&'static str),
    /// Any JSON.
    Any,
    /// Any object.
    Object,
    /// A list of any objects.
    Objects,
    /// Bytes of a media type that the answer names.
    Bytes,
    /// Server-sent events, or one JSON document per line.
    Stream,
}

impl BodyShape {
    /// Returns a word for the tables in the docs.
    pub(super) fn word(self) -> &'static str {
        match self {
            BodyShape::Row => "row",
            BodyShape::Page => "page of rows",
            BodyShape::File => "file",
            BodyShape::Create => "data",
            BodyShape::Replace | BodyShape::Update => "data, version",
            BodyShape::Nothing => "nothing",
            BodyShape::Named(name) | BodyShape::ListOf(name) => name,
            BodyShape::Any => "JSON",
            BodyShape::Object => "object",
            BodyShape::Objects => "objects",
            BodyShape::Bytes => "bytes",
            BodyShape::Stream => "stream",
        }
    }
}
