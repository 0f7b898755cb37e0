//! Stable codes of findings and errors, with the text that `erp-plugin explain` prints.
//!
//! A code is declared once, with its consequence, in the module that raises it: a rule declares the codes of its
//! findings above its logic, and a reader of packages those of its refusals. [`errors`] has the codes that guests and
//! HTTP clients see. Several modules raise those, and text from a guest is looked up among them. A code is never
//! renamed and never reused.
//!
//! ```text
//!   codes! { NAME = "area/phrase", consequence, "title", why: …, fix: …; }
//!      │
//!      ├─ const NAME: Code      unused ⇒ the compiler says so
//!      └─ CODES: &[Code]        collected by `explanations`, which prints the pages of the documentation
//! ```

mod code;
mod error_code;
pub mod errors;
mod severity;

pub use code::{Code, Consequence};
#[doc(hidden)]
pub use code::{CodeEntry, codes};
pub use error_code::ErrorCode;
pub use severity::Severity;
