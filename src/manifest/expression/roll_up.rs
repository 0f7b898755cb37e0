//! Roll-ups: values that a row computes from its child rows, such as `sum(lines.amount)`.

use std::fmt;

use super::syntax::{Term, TermKind};
use crate::document::words;

words! {
    /// How the values of child rows become one.
    pub enum RollUpFunction {
        /// How many rows there are.
        Count = "count",
        /// Their sum; 0 where there are none.
        Sum = "sum",
        /// The least; null where there is none.
        Min = "min",
        /// The greatest; null where there is none.
        Max = "max",
    }
}

/// A roll-up over child rows. Its text is the name that `evaluate` looks up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollUp {
    /// The function over the child rows.
    pub function: RollUpFunction,
    /// The child rows: the name of a `one_to_many` relation or of an entity.
    pub children: String,
    /// The field of the child rows; `None` for `count`.
    pub field: Option<String>,
    text: String,
}

impl RollUp {
    /// Returns the roll-up of a call; `None` if the call is one of a function.
    pub(super) fn of_call(name: &str, arguments: &[Term]) -> Option<RollUp> {
        let function = RollUpFunction::from_word(name)?;
        let [Term { kind: TermKind::Name(of), .. }] = arguments else { return None };
        let (children, field) = match (function, of.split_once('.')) {
            (RollUpFunction::Count, None) => (of.as_str(), None),
            (RollUpFunction::Count, Some(_)) | (_, None) => return None,
            (_, Some((children, field))) => (children, Some(field.to_owned())),
        };
        let is_word = children.starts_with('$');
        (!is_word).then(|| RollUp { function, children: children.to_owned(), field, text: format!("{name}({of})") })
    }

    /// The text without white space, such as `sum(lines.amount)`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for RollUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
