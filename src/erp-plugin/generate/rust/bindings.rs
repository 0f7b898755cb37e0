//! The Rust side of the host API, for guests.
//!
//! wit-bindgen's macro would make the same code, but compiles the generator itself for every guest and profile. With a
//! generated file, a guest's cold build takes less than half the time.

use std::sync::{Mutex, PoisonError};

use erp_manifest::contract::World;
use wit_bindgen_core::{Files, WorldGenerator};

use crate::generate::{GenerateError, MARK};

/// Lints that the bindings cannot pass, or whose findings in generated code help no user.
const ALLOWED: &str = "#![allow(unsafe_code, missing_docs, clippy::all, clippy::pedantic, clippy::nursery)]";

/// The latest bindings. A dev host needs the same ones after every edit, and generating them costs more than a check.
static LAST: Mutex<Vec<(Identity, String)>> = Mutex::new(Vec::new());
/// The number of bindings to keep: those of the worlds that users work on at the same time.
const REMEMBERED: usize = 8;

/// All inputs of the generated bindings.
#[derive(PartialEq, Eq)]
struct Identity {
    abi: &'static str,
    world: String,
    beside: Vec<String>,
    module: String,
}

/// Returns the bindings of a world, for a module of this path. They depend on these two alone.
///
/// # Errors
/// [`GenerateError`], which is a bug where the world is one of the embedded ones.
pub(super) fn rust_bindings(world: &World, module: &str) -> Result<String, GenerateError> {
    let identity = Identity {
        abi: world.host_api.abi,
        world: world.name.clone(),
        beside: world.beside.clone(),
        module: module.to_owned(),
    };
    let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, text)) = last().iter().find(|(known, _)| *known == identity) {
        return Ok(text.clone());
    }
    let text = made(world, module)?;
    let mut last = last();
    if last.len() == REMEMBERED {
        last.remove(0);
    }
    last.push((identity, text.clone()));
    Ok(text)
}

fn made(world: &World, module: &str) -> Result<String, GenerateError> {
    let failed = |reason: String| GenerateError { world: world.name.clone(), reason };
    let mut files = Files::default();
    let options = wit_bindgen_rust::Opts {
        generate_all: true,
        format: true,
        default_bindings_module: Some(module.to_owned()),
        ..Default::default()
    };
    // The generator changes the resolve.
    let mut resolve = world.resolve.clone();
    options.build().generate(&mut resolve, world.id, &mut files).map_err(|error| failed(format!("{error:#}")))?;
    let Some((_, code)) = files.iter().next() else { return Err(failed("the generator wrote nothing".to_owned())) };
    let code = String::from_utf8(code.to_vec()).map_err(|error| failed(error.to_string()))?;
    Ok(format!("// The host API {} for the world `{}`.\n// {MARK}\n{ALLOWED}\n{code}", world.host_api.abi, world.name))
}
