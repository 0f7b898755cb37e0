//! Expressions of a manifest, such as `status == 'open' and quantity * unit_price > 1000`: parsed with places, checked
//! against the fields of an entity, and evaluated for a row.
//!
//! All keys with expressions (`visible_when`, `required_when`, `computed`, `when`, constraints) use one language.
//! Numbers are exact decimals. An expression has no loops, calls only the functions of [`FUNCTIONS`], and creates no
//! text of more than 64 KB. Its cost is therefore bounded by its length.

mod evaluate;
mod functions;
mod over_json;
mod place;
mod roll_up;
mod syntax;
mod token;
mod types;

pub use evaluate::read_decimal;
pub use evaluate::{Datum, EvaluationError};
pub use functions::{FUNCTIONS, Function};
pub use over_json::{Words, render_over, value_over};
pub(crate) use place::CODES;
pub use place::Expression;
pub use roll_up::{RollUp, RollUpFunction};
pub use syntax::{MAX_CHARACTERS, MAX_DEPTH};
pub use types::{ExpressionProblem, FieldKind, Type};
