//! The border around decoders of foreign bytes: a panic inside ends the decoding, and not the program.
//!
//! Libraries that decode WebAssembly and WIT are written for what compilers make. A stranger's file must be refused,
//! whatever it does to them.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// A decoder panicked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("its decoder failed: {0}")]
pub struct DecoderPanic(pub String);

/// Whether this thread decodes foreign bytes: a panic is no bug to report then, and does not end the program.
pub fn is_decoding() -> bool {
    DEPTH.get() > 0
}

/// Decodes foreign bytes. What `decode` changes outside of itself must be worth nothing after an error.
///
/// # Errors
/// [`DecoderPanic`] with the text of the panic.
pub fn contain<T>(decode: impl FnOnce() -> T) -> Result<T, DecoderPanic> {
    struct Inside;
    impl Drop for Inside {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
        }
    }
    DEPTH.set(DEPTH.get() + 1);
    let _inside = Inside;
    catch_unwind(AssertUnwindSafe(decode)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        DecoderPanic(text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_one_too() {
        for text in ["one", "two"] {
            assert_eq!(contain(|| panic!("{text}")), Err::<(), _>(DecoderPanic(text.to_owned())));
            assert!(!is_decoding());
        }
        assert_eq!(contain(is_decoding), Ok(true));
    }
}
