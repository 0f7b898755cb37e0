//! The catalogue of field types: the values, the form control and the display of each type.
//!
//! Each type has two lines: its meaning and its declaration. The stored form, the JSON Schema, Rust types, comparisons
//! and the widgets of the console follow from them. Generated rows (`seed`) match each type by name, and the compiler
//! reports a missing one.

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

/// The format of a text value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Any text.
    Plain,
    /// An e-mail address.
    Email,
    /// A URL.
    Url,
    /// A time of day.
    Time,
}

/// The shape of a value in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueShape {
    /// A text.
    Text(TextFormat),
    /// A whole number of 64 bits.
    Integer,
    /// A binary fraction.
    Float,
    /// An exact number, as text.
    Decimal,
    /// true or false.
    Boolean,
    /// A day, as text.
    Date,
    /// A moment with its offset, as text.
    Datetime,
    /// A UUID, as text.
    Id,
    /// A list of UUIDs.
    Ids,
    /// One of the field's options, as text.
    Option,
    /// A list of the field's options.
    Options,
    /// A list of texts.
    Texts,
    /// An object `{ "lat", "lng" }`, in degrees.
    Place,
    /// Any JSON value.
    Json,
}

impl ValueShape {
    /// The base type that the platform stores it as.
    pub fn base(self) -> BaseType {
        match self {
            ValueShape::Text(_) | ValueShape::Option => BaseType::String,
            ValueShape::Integer => BaseType::Integer,
            ValueShape::Float => BaseType::Float,
            ValueShape::Decimal => BaseType::Decimal,
            ValueShape::Boolean => BaseType::Boolean,
            ValueShape::Date => BaseType::Date,
            ValueShape::Datetime => BaseType::Datetime,
            ValueShape::Id => BaseType::Uuid,
            ValueShape::Ids | ValueShape::Options | ValueShape::Texts | ValueShape::Place | ValueShape::Json => {
                BaseType::Json
            }
        }
    }

    /// Returns whether its values are numbers, which can be added.
    pub fn is_number(self) -> bool {
        matches!(self, ValueShape::Integer | ValueShape::Float | ValueShape::Decimal)
    }

    /// Returns whether its values are lists of texts.
    pub fn is_list(self) -> bool {
        matches!(self, ValueShape::Ids | ValueShape::Options | ValueShape::Texts)
    }
}

words! {
    /// How a form asks for a value.
    pub enum InputKind {
        /// A line of text.
        Line = "line",
        /// Several lines of text.
        Area = "area",
        /// Digits.
        WholeNumber = "whole_number",
        /// A number.
        Number = "number",
        /// A number that stays text.
        Decimal = "decimal",
        /// On or off.
        Switch = "switch",
        /// A day.
        Date = "date",
        /// A time of day.
        Time = "time",
        /// A moment.
        Datetime = "datetime",
        /// JSON.
        Json = "json",
        /// One of the options.
        Select = "select",
        /// Several of the options.
        Checkboxes = "checkboxes",
        /// An e-mail address.
        Email = "email",
        /// A telephone number.
        Phone = "phone",
        /// A URL.
        Url = "url",
        /// A row of another entity.
        Reference = "reference",
        /// Rows of another entity.
        References = "references",
        /// A user.
        User = "user",
        /// A department.
        Department = "department",
        /// Words.
        Tags = "tags",
        /// A colour.
        Color = "color",
        /// Latitude and longitude.
        Place = "place",
    }
}

words! {
    /// How a value is shown.
    pub enum DisplayKind {
        /// As it is.
        Plain = "plain",
        /// A number.
        Number = "number",
        /// Yes or no.
        YesNo = "yes_no",
        /// A moment, in the reader's time zone.
        Moment = "moment",
        /// JSON.
        Json = "json",
        /// The label of an option.
        Option = "option",
        /// Labels of options.
        Options = "options",
        /// An amount of money.
        Money = "money",
        /// With a percent sign.
        Percent = "percent",
        /// An address to write to.
        Mail = "mail",
        /// A link.
        Link = "link",
        /// The label of a row.
        Reference = "reference",
        /// Labels of rows.
        References = "references",
        /// The name of a user.
        User = "user",
        /// Words.
        Tags = "tags",
        /// A swatch.
        Color = "color",
        /// Stars.
        Stars = "stars",
        /// Latitude and longitude.
        Place = "place",
    }
}

macro_rules! field_types {
    ($(#[doc = $doc:literal] $variant:ident = $word:literal, $shape:ident $(($format:path))?,
        input $input:ident, display $display:ident, json $json:literal;)*) => {
        words! {
            /// What a field holds.
            pub enum FieldType {
                $( #[doc = $doc] $variant = $word, )*
            }
        }

        impl FieldType {
            /// The shape of its values.
            pub fn shape(self) -> ValueShape {
                match self {
                    $( FieldType::$variant => ValueShape::$shape $(($format))?, )*
                }
            }

            /// The form control for a value.
            pub fn input(self) -> InputKind {
                match self {
                    $( FieldType::$variant => InputKind::$input, )*
                }
            }

            /// The meaning of the type, for documentation.
            pub fn meaning(self) -> &'static str {
                match self { $( FieldType::$variant => $doc.trim_ascii(), )* }
            }

            /// An example of a value, as JSON text.
            pub fn example(self) -> &'static str {
                match self { $( FieldType::$variant => $json, )* }
            }

            /// How a value is displayed.
            pub fn display(self) -> DisplayKind {
                match self {
                    $( FieldType::$variant => DisplayKind::$display, )*
                }
            }
        }
    };
}

field_types! {
    /// One line of text.
    String = "string", Text(TextFormat::Plain), input Line, display Plain, json r#""DN50 闸阀""#;
    /// Several lines of text.
    Text = "text", Text(TextFormat::Plain), input Area, display Plain, json r#""第一行\n第二行""#;
    /// A whole number.
    Integer = "integer", Integer, input WholeNumber, display Number, json "42";
    /// A whole number of 64 bits.
    Bigint = "bigint", Integer, input WholeNumber, display Number, json "9007199254740993";
    /// A binary fraction; never for money.
    Float = "float", Float, input Number, display Number, json "0.25";
    /// An exact decimal number, as text end to end.
    Decimal = "decimal", Decimal, input Decimal, display Number, json r#""12.50""#;
    /// true or false.
    Boolean = "boolean", Boolean, input Switch, display YesNo, json "true";
    /// A day.
    Date = "date", Date, input Date, display Plain, json r#""2026-04-15""#;
    /// A time of day, `08:30:00`.
    Time = "time", Text(TextFormat::Time), input Time, display Plain, json r#""08:30:00""#;
    /// A moment.
    Datetime = "datetime", Datetime, input Datetime, display Moment, json r#""2026-04-15T08:00:00+08:00""#;
    /// A UUID.
    Uuid = "uuid", Id, input Line, display Plain, json r#""01a22e93-c61f-7000-8614-8a169f3a076e""#;
    /// Any JSON.
    Json = "json", Json, input Json, display Json, json r#"{ "any": ["thing"] }"#;
    /// One of the options.
    Select = "select", Option, input Select, display Option, json r#""draft""#;
    /// Several of the options.
    MultiSelect = "multi_select", Options, input Checkboxes, display Options, json r#"["red", "blue"]"#;
    /// An amount of money, as decimal text.
    Currency = "currency", Decimal, input Decimal, display Money, json r#""99.90""#;
    /// A percentage, as decimal text: 12.5 is 12.5 %.
    Percent = "percent", Decimal, input Decimal, display Percent, json r#""12.5""#;
    /// An e-mail address.
    Email = "email", Text(TextFormat::Email), input Email, display Mail, json r#""li@example.com""#;
    /// A telephone number.
    Phone = "phone", Text(TextFormat::Plain), input Phone, display Plain, json r#""+86 21 5555 0100""#;
    /// A URL.
    Url = "url", Text(TextFormat::Url), input Url, display Link, json r#""https://example.com/""#;
    /// Formatted text.
    RichText = "rich_text", Text(TextFormat::Plain), input Area, display Plain, json r#""<p>text</p>""#;
    /// Markdown.
    Markdown = "markdown", Text(TextFormat::Plain), input Area, display Plain, json r#""**text**""#;
    /// The id of a stored file.
    Attachment = "attachment", Id, input Line, display Plain, json r#""01a22e93-c61f-7000-8614-8a169f3a076e""#;
    /// The id of a stored picture.
    Image = "image", Id, input Line, display Plain, json r#""01a22e93-c61f-7000-8614-8a169f3a076e""#;
    /// The id of a row of `ref_entity`.
    Ref = "ref", Id, input Reference, display Reference, json r#""01a22e93-c61f-7000-8614-8a169f3a076e""#;
    /// The ids of several rows of `ref_entity`.
    RefMany = "ref_many", Ids, input References, display References, json r#"["01a22e93-c61f-7000-8614-8a169f3a076e"]"#;
    /// The id of a user.
    User = "user", Id, input User, display User, json r#""01a22e93-c61f-7000-8614-8a169f3a076e""#;
    /// The id of a department.
    Department = "department", Id, input Department, display Plain, json r#""01a22e93-c61f-7000-8614-8a169f3a076e""#;
    /// Free words.
    Tags = "tags", Texts, input Tags, display Tags, json r#"["urgent", "export"]"#;
    /// The text of a barcode.
    Barcode = "barcode", Text(TextFormat::Plain), input Line, display Plain, json r#""6901234567892""#;
    /// A colour, `#1677ff`.
    Color = "color", Text(TextFormat::Plain), input Color, display Color, json r##""#1677ff""##;
    /// A number of stars.
    Rating = "rating", Integer, input WholeNumber, display Stars, json "4";
    /// A length of time in seconds.
    Duration = "duration", Integer, input WholeNumber, display Number, json "5400";
    /// A place: `{ "lat": 31.2, "lng": 121.5 }`.
    GeoPoint = "geo_point", Place, input Place, display Place, json r#"{ "lat": 31.2, "lng": 121.5 }"#;
    /// A number that a `[[numbering]]` rule gives.
    Autonumber = "autonumber", Text(TextFormat::Plain), input Line, display Plain, json r#""PO20260415-0001""#;
}

impl FieldType {
    /// The base type that the platform stores the field as.
    pub fn base(self) -> BaseType {
        self.shape().base()
    }

    /// The word with its article, for sentences.
    pub fn with_article(self) -> String {
        let article = if self.word().starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        format!("{article} {}", self.word())
    }

    /// True for types whose values come from `options`.
    pub fn has_options(self) -> bool {
        matches!(self.shape(), ValueShape::Option | ValueShape::Options)
    }

    /// True for types that refer to rows of another entity.
    pub fn is_reference(self) -> bool {
        matches!(self, FieldType::Ref | FieldType::RefMany)
    }
}
