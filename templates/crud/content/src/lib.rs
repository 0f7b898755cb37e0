//! The plugin's code. A manifest with entities and pages needs no more than this.

#[rustfmt::skip]
mod erp;

pub struct Plugin;

impl erp::Plugin for Plugin {}
