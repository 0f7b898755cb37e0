//! The two macros that declare the parts of a model.

/// Declares a table: a struct, its reader and its JSON Schema.
///
/// Each field is written `name: Type,` or `name: Type = default,`. A field without a default is required unless its
/// type has a value for an absent key (`Option`, `Vec`, a map). A key that is a Rust keyword is written `r#type`. Doc
/// comments become descriptions.
#[doc(hidden)]
#[macro_export]
macro_rules! document_table {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $field_doc:literal])* $field:ident : $ty:ty $(= $default:expr)? , )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        $vis struct $name {
            $( $(#[doc = $field_doc])* pub $field: $ty, )*
            /// The place of the table: its header, if it has one; `0..0` if it is absent.
            pub span: $crate::diagnostics::Span,
        }

        impl $name {
            /// Every key of the table.
            pub const KEYS: &'static [&'static str] = &[$( $crate::document::table!(@key $field) ),*];
        }

        impl $crate::document::FromToml for $name {
            fn from_toml(
                node: &$crate::document::Node,
                reader: &mut $crate::document::Reader,
            ) -> Option<Self> {
                if !matches!(node.value, $crate::document::NodeValue::Table(_)) {
                    reader.wrong_type(node, "a table");
                    return None;
                }
                reader.unknown_keys(node, Self::KEYS);
                // Every field is read before any `?`, so that all findings are reported at once.
                $( let $field: Option<$ty> = reader.field(
                    node,
                    $crate::document::table!(@key $field),
                    || $crate::document::table!(@default $($default)?),
                ); )*
                Some($name { $( $field: $field?, )* span: node.span.clone() })
            }

            fn absent() -> Option<Self> {
                $( let $field: Option<$ty> =
                    None.or($crate::document::table!(@default $($default)?))
                        .or_else(<$ty as $crate::document::FromToml>::absent); )*
                Some($name { $( $field: $field?, )* span: 0..0 })
            }

            fn json_schema() -> serde_json::Value {
                let mut properties = serde_json::Map::new();
                let mut required: Vec<&str> = Vec::new();
                $(
                    let key = $crate::document::table!(@key $field);
                    let mut schema = <$ty as $crate::document::FromToml>::json_schema();
                    let description = concat!($($field_doc, "\n",)*).trim().replace("\n ", "\n");
                    if !description.is_empty() {
                        schema["description"] = description.into();
                    }
                    let default: Option<$ty> = $crate::document::table!(@default $($default)?);
                    if let Some(default) = default.as_ref().and_then($crate::document::FromToml::default_json) {
                        schema["default"] = default;
                    }
                    if default.is_none() && <$ty as $crate::document::FromToml>::absent().is_none() {
                        required.push(key);
                    }
                    properties.insert(key.to_owned(), schema);
                )*
                serde_json::json!({
                    "type": "object",
                    "description": concat!($($doc, "\n",)*).trim().replace("\n ", "\n"),
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            }
        }
    };
    (@key $field:ident) => {{
        const KEY: &str = stringify!($field);
        // `stringify!` keeps the `r#` of a raw identifier.
        match KEY.as_bytes() {
            [b'r', b'#', ..] => KEY.split_at(2).1,
            _ => KEY,
        }
    }};
    (@default) => { None };
    (@default $default:expr) => { Some($default) };
}

/// Declares a closed set of words: an enum, its reader and its JSON Schema.
#[doc(hidden)]
#[macro_export]
macro_rules! document_words {
    (
        $(#[doc = $doc:literal])*
        $vis:vis enum $name:ident {
            $( $(#[doc = $variant_doc:literal])* $variant:ident = $word:literal , )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $( $(#[doc = $variant_doc])* $variant, )*
        }

        impl $name {
            /// Every word, in the order of the documentation.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word, as files write it.
            pub fn word(self) -> &'static str {
                match self { $( $name::$variant => $word, )* }
            }

            /// The value of a word; `None` for an unknown word.
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $( $word => Some($name::$variant), )* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl $crate::document::FromToml for $name {
            fn from_toml(
                node: &$crate::document::Node,
                reader: &mut $crate::document::Reader,
            ) -> Option<Self> {
                let Some(word) = node.as_str() else {
                    reader.wrong_type(node, "a string");
                    return None;
                };
                let found = $name::from_word(word);
                if found.is_none() {
                    reader.find(
                        $crate::document::codes::TOML_UNKNOWN_WORD,
                        node.span.clone(),
                        format!("unknown word `{word}`"),
                        "not known here",
                        $crate::document::closest(word, Self::WORDS.iter().copied())
                            .map(|word| format!("did you mean `{word}`?"))
                            .or_else(|| Some(format!("one of: {}", Self::WORDS.join(", ")))),
                    );
                    let near = $crate::document::obvious(word, Self::WORDS.iter().copied());
                    reader.fix_last(near.map(|near| $crate::diagnostics::Fix::replace_string(node.span.clone(), near)));
                }
                found
            }

            fn fallback() -> Option<Self> {
                Self::WORDS.first().and_then(|word| $name::from_word(word))
            }

            fn default_json(&self) -> Option<serde_json::Value> {
                Some(serde_json::json!(self.word()))
            }

            fn json_schema() -> serde_json::Value {
                serde_json::json!({ "type": "string", "enum": Self::WORDS })
            }
        }
    };
}

pub use {document_table as table, document_words as words};
