//! The plugin's code. A manifest with entities and pages needs no more than this.

mod bindings;

use bindings::erp::plugin::types::{CallContext, Error};
use bindings::exports::erp::plugin::base;

struct Plugin;

bindings::export!(Plugin);

impl base::Guest for Plugin {
    fn init(_context: CallContext) -> Result<(), Error> {
        Ok(())
    }
}
