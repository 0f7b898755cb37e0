//! The catalogue of field types and what the platform stores them as.

use crate::document::words;

words! {
    /// The nine types that the platform's tables know.
    pub enum BaseType {
        /// Text.
        String = "string",
        /// A whole number of 64 bits.
        Integer = "integer",
        /// A binary fraction; never for money.
        Float = "float",
        /// Decimal text, exact.
        Decimal = "decimal",
        /// true or false.
        Boolean = "boolean",
        /// A day, `2026-04-15`.
        Date = "date",
        /// A moment with its offset, RFC 3339.
        Datetime = "datetime",
        /// A UUID.
        Uuid = "uuid",
        /// Any JSON.
        Json = "json",
    }
}

words! {
    /// What a field holds.
    pub enum FieldType {
        /// One line of text.
        String = "string",
        /// Several lines of text.
        Text = "text",
        /// A whole number.
        Integer = "integer",
        /// A whole number of 64 bits.
        Bigint = "bigint",
        /// A binary fraction; never for money.
        Float = "float",
        /// An exact decimal number, as text end to end.
        Decimal = "decimal",
        /// true or false.
        Boolean = "boolean",
        /// A day.
        Date = "date",
        /// A time of day, `08:30:00`.
        Time = "time",
        /// A moment.
        Datetime = "datetime",
        /// A UUID.
        Uuid = "uuid",
        /// Any JSON.
        Json = "json",
        /// One of the options.
        Select = "select",
        /// Several of the options.
        MultiSelect = "multi_select",
        /// An amount of money, as decimal text.
        Currency = "currency",
        /// A percentage, as decimal text: 12.5 is 12.5 %.
        Percent = "percent",
        /// An e-mail address.
        Email = "email",
        /// A telephone number.
        Phone = "phone",
        /// A URL.
        Url = "url",
        /// Formatted text.
        RichText = "rich_text",
        /// Markdown.
        Markdown = "markdown",
        /// The id of a stored file.
        Attachment = "attachment",
        /// The id of a stored picture.
        Image = "image",
        /// The id of a row of `ref_entity`.
        Ref = "ref",
        /// The ids of several rows of `ref_entity`.
        RefMany = "ref_many",
        /// The id of a user.
        User = "user",
        /// The id of a department.
        Department = "department",
        /// Free words.
        Tags = "tags",
        /// The text of a barcode.
        Barcode = "barcode",
        /// A colour, `#1677ff`.
        Color = "color",
        /// A number of stars.
        Rating = "rating",
        /// A length of time in seconds.
        Duration = "duration",
        /// A place: `{ "lat": 31.2, "lng": 121.5 }`.
        GeoPoint = "geo_point",
        /// A number that a `[[numbering]]` rule gives.
        Autonumber = "autonumber",
    }
}

impl FieldType {
    /// What the platform stores the field as.
    pub fn base(self) -> BaseType {
        use FieldType::{
            Attachment, Autonumber, Barcode, Bigint, Boolean, Color, Currency, Date, Datetime, Decimal, Department,
            Duration, Email, Float, GeoPoint, Image, Integer, Json, Markdown, MultiSelect, Percent, Phone, Rating, Ref,
            RefMany, RichText, Select, String, Tags, Text, Time, Url, User, Uuid,
        };
        match self {
            String | Text | Time | Select | Email | Phone | Url | RichText | Markdown | Barcode | Color
            | Autonumber => BaseType::String,
            Integer | Bigint | Rating | Duration => BaseType::Integer,
            Float => BaseType::Float,
            Decimal | Currency | Percent => BaseType::Decimal,
            Boolean => BaseType::Boolean,
            Date => BaseType::Date,
            Datetime => BaseType::Datetime,
            Uuid | Ref | User | Department | Attachment | Image => BaseType::Uuid,
            Json | MultiSelect | RefMany | Tags | GeoPoint => BaseType::Json,
        }
    }

    /// The word with its article, for sentences.
    pub fn with_article(self) -> String {
        let article = if self.word().starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        format!("{article} {}", self.word())
    }

    /// True for types whose value is one of `options`.
    pub fn has_options(self) -> bool {
        matches!(self, FieldType::Select | FieldType::MultiSelect)
    }

    /// True for types that name rows of another entity.
    pub fn is_reference(self) -> bool {
        matches!(self, FieldType::Ref | FieldType::RefMany)
    }
}
