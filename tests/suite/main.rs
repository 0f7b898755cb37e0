//! The black-box suite: it runs the program and never links the library, so that it builds in seconds.
//! `ERP_PLUGIN_BLESS=1` writes expectations anew.

mod architecture;
mod dev_host;
mod diagnostics;
mod documentation;
mod every_command;
mod guests;
mod packages;
mod publish;
mod support;
mod templates;
