//! What both descriptions are made from: the entities with the values that clients read and write.

use crate::manifest::{BaseType, Entity, Field, FieldType, Manifest};

/// An entity as clients see it.
pub(super) struct ApiEntity<'m> {
    pub(super) manifest: &'m Manifest,
    pub(super) entity: &'m Entity,
    pub(super) fields: Vec<ApiField<'m>>,
}

/// A field as clients see it.
pub(super) struct ApiField<'m> {
    pub(super) field: &'m Field,
    pub(super) kind: ValueKind,
}

/// What a value is in JSON.
pub(super) enum ValueKind {
    /// Text; the format is one of JSON Schema's, or none.
    Text(Option<&'static str>),
    /// A decimal number, as text.
    Decimal,
    Integer,
    Float,
    Boolean,
    /// One of these texts.
    Choice(Vec<String>),
    /// A list of others.
    List(Box<ValueKind>),
    /// `{lat, lng}`.
    Place,
    /// Anything.
    Json,
}

impl<'m> ApiEntity<'m> {
    /// The entities of a manifest, in its order.
    pub(super) fn all(manifest: &'m Manifest) -> impl Iterator<Item = ApiEntity<'m>> {
        manifest.schema.entities.iter().map(move |entity| {
            let fields = entity.fields.iter().map(|field| ApiField { field, kind: kind_of(field) });
            ApiEntity { manifest, entity, fields: fields.collect() }
        })
    }

    /// The path of its rows.
    pub(super) fn path(&self) -> String {
        format!("/api/v1/plugins/{}/{}", *self.manifest.metadata.id, *self.entity.name)
    }

    /// The buttons of its rows.
    pub(super) fn actions(&self) -> impl Iterator<Item = &'m crate::manifest::Action> {
        let name = &self.entity.name;
        self.manifest.ui.actions.iter().filter(move |action| *action.entity == **name)
    }
}

impl ApiField<'_> {
    /// Whether clients may set it.
    pub(super) fn is_open(&self) -> bool {
        !self.field.read_only && self.field.computed.is_none()
    }

    /// Whether a new row must bring it.
    pub(super) fn must_come(&self) -> bool {
        self.is_open() && self.field.required && self.field.default.is_none() && self.field.numbering.is_none()
    }
}

fn kind_of(field: &Field) -> ValueKind {
    let choice = || match field.options.as_slice() {
        [] => ValueKind::Text(None),
        options => ValueKind::Choice(options.iter().map(|option| option.value.clone()).collect()),
    };
    match *field.field_type {
        FieldType::Select => choice(),
        FieldType::MultiSelect => ValueKind::List(Box::new(choice())),
        FieldType::RefMany => ValueKind::List(Box::new(ValueKind::Text(Some("uuid")))),
        FieldType::Tags => ValueKind::List(Box::new(ValueKind::Text(None))),
        FieldType::GeoPoint => ValueKind::Place,
        FieldType::Email => ValueKind::Text(Some("email")),
        FieldType::Url => ValueKind::Text(Some("uri")),
        FieldType::Time => ValueKind::Text(Some("time")),
        other => match other.base() {
            BaseType::String => ValueKind::Text(None),
            BaseType::Uuid => ValueKind::Text(Some("uuid")),
            BaseType::Date => ValueKind::Text(Some("date")),
            BaseType::Datetime => ValueKind::Text(Some("date-time")),
            BaseType::Decimal => ValueKind::Decimal,
            BaseType::Integer => ValueKind::Integer,
            BaseType::Float => ValueKind::Float,
            BaseType::Boolean => ValueKind::Boolean,
            BaseType::Json => ValueKind::Json,
        },
    }
}
