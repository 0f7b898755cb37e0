//! Containment of panics in decoders of untrusted bytes: a panic becomes an error and does not end the program.
//!
//! Libraries that decode WebAssembly and WIT are written for the output of compilers and may panic on other input. An
//! untrusted file must be refused in that case too.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// The error of a decoder that panicked, with the text of the panic.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("its decoder failed: {0}")]
pub struct DecoderPanic(pub String);

/// Returns whether this thread is inside [`contain`]. A panic is then not reported as a bug and does not end the
/// program.
pub fn is_decoding() -> bool {
    DEPTH.get() > 0
}

/// Runs `decode` on untrusted bytes and turns a panic into an error. After an error, the caller must discard all state
/// that `decode` changed.
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
