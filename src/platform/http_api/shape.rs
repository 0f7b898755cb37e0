//! What requests and answers carry, as names of schemas.

/// What a request carries.
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

/// What JSON looks like. The first six are an entity's own where the path names one.
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
    /// A list of it.
    ListOf(&'static str),
    /// Any JSON.
    Any,
    /// Any object.
    Object,
    /// A list of any objects.
    Objects,
    /// Bytes of a media type that the answer names.
    Bytes,
    /// Server-sent events, or a JSON document a line.
    Stream,
}

impl BodyShape {
    /// A word for tables.
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
