//! The entities of a manifest as clients read and write them, the source of OpenAPI and generated clients.

use erp_manifest::{Entity, Field, Manifest, TextFormat, ValueShape};

/// An entity as clients see it.
pub struct ApiEntity<'m> {
    /// The manifest of the plugin.
    pub manifest: &'m Manifest,
    /// The declaration of the entity.
    pub entity: &'m Entity,
    /// The fields, in the order of the manifest.
    pub fields: Vec<ApiField<'m>>,
}

/// A field as clients see it.
pub struct ApiField<'m> {
    /// The declaration of the field.
    pub field: &'m Field,
    /// The kind of its values in JSON.
    pub kind: ValueKind,
}

/// The kind of a value in JSON.
pub enum ValueKind {
    /// Text; the format is one of JSON Schema's, or none.
    Text(Option<&'static str>),
    /// A decimal number, as text.
    Decimal,
    /// A whole number of 64 bits.
    Integer,
    /// A floating-point number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// One of these texts.
    Choice(Vec<String>),
    /// A list of values of one kind.
    List(Box<ValueKind>),
    /// `{lat, lng}`.
    Place,
    /// Any JSON.
    Json,
}

impl<'m> ApiEntity<'m> {
    /// Returns the entities of a manifest, in its order.
    pub fn all(manifest: &'m Manifest) -> impl Iterator<Item = ApiEntity<'m>> {
        manifest.schema.entities.iter().map(move |entity| {
            let fields = entity.fields.iter().map(|field| ApiField { field, kind: kind_of(field) });
            ApiEntity { manifest, entity, fields: fields.collect() }
        })
    }

    /// Returns the path of the entity's rows.
    pub fn path(&self) -> String {
        format!("/api/v1/plugins/{}/{}", *self.manifest.metadata.id, *self.entity.name)
    }

    /// Returns the actions on the entity's rows.
    pub fn actions(&self) -> impl Iterator<Item = &'m erp_manifest::Action> {
        let name = &self.entity.name;
        self.manifest.ui.actions.iter().filter(move |action| *action.entity == **name)
    }
}

impl ApiField<'_> {
    /// Returns whether clients may set the field: it is neither read-only nor computed.
    pub fn is_writable(&self) -> bool {
        !self.field.read_only && self.field.computed.is_none()
    }

    /// Returns whether a client must set the field in a new row.
    pub fn is_required_on_create(&self) -> bool {
        self.is_writable() && self.field.required && self.field.default.is_none() && self.field.numbering.is_none()
    }
}

fn kind_of(field: &Field) -> ValueKind {
    let choice = || match field.options.as_slice() {
        [] => ValueKind::Text(None),
        options => ValueKind::Choice(options.iter().map(|option| option.value.clone()).collect()),
    };
    match field.field_type.shape() {
        ValueShape::Option => choice(),
        ValueShape::Options => ValueKind::List(Box::new(choice())),
        ValueShape::Ids => ValueKind::List(Box::new(ValueKind::Text(Some("uuid")))),
        ValueShape::Texts => ValueKind::List(Box::new(ValueKind::Text(None))),
        ValueShape::Place => ValueKind::Place,
        ValueShape::Text(format) => ValueKind::Text(match format {
            TextFormat::Plain => None,
            TextFormat::Email => Some("email"),
            TextFormat::Url => Some("uri"),
            TextFormat::Time => Some("time"),
        }),
        ValueShape::Id => ValueKind::Text(Some("uuid")),
        ValueShape::Date => ValueKind::Text(Some("date")),
        ValueShape::Datetime => ValueKind::Text(Some("date-time")),
        ValueShape::Decimal => ValueKind::Decimal,
        ValueShape::Integer => ValueKind::Integer,
        ValueShape::Float => ValueKind::Float,
        ValueShape::Boolean => ValueKind::Boolean,
        ValueShape::Json => ValueKind::Json,
    }
}
