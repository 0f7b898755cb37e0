//! The command line: global flags, and the steps from arguments to an exit code.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser};
use erp_manifest::containment::is_decoding;
use erp_manifest::exit_code::ExitCode;
use erp_runtime::run_as_compiler;

use crate::command_error::{CommandError, codes};
use crate::commands::Command;
use crate::commands::workspace::run_in_each;
use crate::context::Context;
use crate::settings::{Environment, return_memory_at_once};
use crate::ui::{ColorChoice, Format, Ui, Verbosity};

/// Scaffold, build, check, test, pack, sign and publish plugins for the ERP platform
#[derive(Debug, Parser)]
#[command(name = "erp-plugin", version, propagate_version = true, disable_help_subcommand = true, after_help = AFTER_HELP, max_term_width = 80)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Exit status: 0 ok, 1 findings or failed tests, 2 usage,
3 bad manifest or configuration, 4 no test matched, 5 toolchain missing,
6 network or server, 7 signature or trust, 70 bug,
101 cargo build failed, 130 interrupted.";

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// Work in this folder
    #[arg(short = 'C', long, global = true, value_name = "FOLDER", help_heading = "Global options")]
    pub directory: Option<PathBuf>,
    /// The manifest, instead of the nearest plugin.toml
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub manifest_path: Option<PathBuf>,
    /// The plugin of the workspace, by its id or its folder
    #[arg(short = 'p', long = "package", global = true, value_name = "NAME", conflicts_with_all = ["manifest_path", "workspace"], help_heading = "Global options")]
    pub member: Option<String>,
    /// Every plugin of the workspace, those that others depend on first
    #[arg(long, global = true, conflicts_with = "manifest_path", help_heading = "Global options")]
    pub workspace: bool,
    /// How the result is written
    #[arg(
        long,
        global = true,
        value_enum,
        env = "ERP_PLUGIN_FORMAT",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub format: Option<Format>,
    /// When colours are used
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "ERP_PLUGIN_COLOR",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub color: ColorChoice,
    /// Tell of warnings and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub quiet: bool,
    /// Tell of every step
    #[arg(short, long, global = true, action = ArgAction::SetTrue, help_heading = "Global options")]
    pub verbose: bool,
    /// Do without the network
    #[arg(long, global = true, env = "ERP_PLUGIN_OFFLINE", hide_env_values = true, value_parser = FalseyValueParser::new(), help_heading = "Global options")]
    pub offline: bool,
}

/// Runs a command line. The first argument is the program's name.
pub fn run(arguments: &[OsString]) -> ExitCode {
    return_memory_at_once();
    // The program starts itself to compile untrusted components: see `erp_runtime::Compilation`.
    if let Some(status) = run_as_compiler(arguments) {
        return if status == 0 { ExitCode::Ok } else { ExitCode::Findings };
    }
    let environment = Environment::of_this_process();
    let wants_json = asks_for_json(arguments);
    catch_panics(wants_json);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, wants_json),
    };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let is_annotated = environment.github_actions && cli.command.formats().contains(&Format::Github);
    let format = cli.global.format.unwrap_or(if is_annotated { Format::Github } else { Format::Human });
    let ui = Ui::new(format, cli.global.color, verbosity, &environment);
    if !cli.command.formats().contains(&format) {
        let known: Vec<&str> = cli.command.formats().iter().map(|format| format.word()).collect();
        let message = format!("this command does not write the format {}", format.word());
        let error = CommandError::new(codes::USAGE, message);
        return error.hint(format!("it writes {}", known.join(", "))).report_to(&ui);
    }
    let run = |context: &Context| {
        if cli.global.workspace && !cli.command.takes_workspace() {
            run_in_each(context, &cli.command)
        } else {
            cli.command.run(context)
        }
    };
    let result = Context::new(ui, environment, &cli.global).map(|context| match run(&context) {
        Ok(ExitCode::Ok) if context.ui.has_lost_output() => ExitCode::Configuration,
        Ok(exit_code) => exit_code,
        Err(error) => error.report_to(&context.ui),
    });
    match result {
        Ok(exit_code) => exit_code,
        Err((error, ui)) => error.report_to(&ui),
    }
}

/// The clap definition of the command line.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Whether the arguments or `ERP_PLUGIN_FORMAT` request JSON. Works also if clap cannot parse the arguments.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let words: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let after = words.windows(2).filter(|pair| pair[0] == "--format").map(|pair| pair[1].as_ref());
    let joined = words.iter().filter_map(|word| word.strip_prefix("--format="));
    after.chain(joined).last().map_or_else(Environment::asks_for_json, |format| format == "json")
}

/// Prints help and versions on standard output. All other clap errors are usage errors.
fn usage(error: &clap::Error, wants_json: bool) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::Ok;
    }
    if wants_json {
        // The first paragraph has the problem and the arguments that it is about.
        let rendered = error.render().to_string();
        let lines = rendered.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
        let message = lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: ").to_owned();
        CommandError::new(codes::USAGE, message).print_json();
    } else {
        let _ = error.print();
    }
    ExitCode::Usage
}

/// Shortens a path in cargo's registry to start at the crate, without the builder's folders. Others stay as they are.
fn without_folders(file: &str) -> &str {
    let crates = file.rsplit_once("/registry/src/").and_then(|(_, path)| path.split_once('/'));
    crates.map_or(file, |(_, path)| path)
}

/// Installs a panic hook. It reports a panic as a bug of this program, and exits with `ExitCode::Bug`.
fn catch_panics(wants_json: bool) {
    std::panic::set_hook(Box::new(move |panic| {
        if is_decoding() {
            return;
        }
        let place = panic
            .location()
            .map_or_else(String::new, |place| format!(" at {}:{}", without_folders(place.file()), place.line()));
        let payload = panic.payload();
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        let message = format!("bug in erp-plugin {}{place}: {}", env!("CARGO_PKG_VERSION"), text.unwrap_or_default());
        let error = CommandError::new(codes::BUG, message).hint("please report this line and the command that you ran");
        if wants_json {
            error.print_json();
        } else {
            error.print_plain();
        }
        if crate::dev_host::outlives_panics() {
            // A bug in one request ends that request; the host answers the others.
            return;
        }
        #[expect(clippy::exit, reason = "a bug ends the program; unwinding further would hide it")]
        std::process::exit(i32::from(ExitCode::Bug.number()));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_names_no_folder_of_the_builder() {
        let file = "/home/someone/.cargo/registry/src/index.example-6f17d22bba15001f/wasmparser-0.254.0/src/lib.rs";
        assert_eq!(without_folders(file), "wasmparser-0.254.0/src/lib.rs");
        assert_eq!(without_folders("src/host/call.rs"), "src/host/call.rs");
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    /// Adds each variable with its flag and the commands that have it, as docs/environment.md shows them.
    fn variables(command: &clap::Command, path: &str, found: &mut Vec<(String, Vec<String>)>) {
        for argument in command.get_arguments() {
            if let (Some(variable), Some(long)) = (argument.get_env(), argument.get_long()) {
                let flag = format!("| `{}` | `--{long}`", variable.to_string_lossy());
                let of = if path.is_empty() { "every command".to_owned() } else { format!("`{path}`") };
                match found.iter_mut().find(|(of_another, _)| *of_another == flag) {
                    Some((_, commands)) => commands.push(of),
                    None => found.push((flag, vec![of])),
                }
            }
        }
        for inner in command.get_subcommands() {
            variables(inner, format!("{path} {}", inner.get_name()).trim_start(), found);
        }
    }

    #[test]
    fn the_page_of_variables_has_every_flag_that_has_one() {
        let mut found = Vec::new();
        variables(&command(), "", &mut found);
        let page = include_str!("../../docs/environment.md");
        for (flag, commands) in &found {
            let row = format!("{flag} of {} |", commands.join(", "));
            assert!(page.contains(&row), "docs/environment.md lacks {row}");
            let is_named_for = |of: &String| {
                of == "every command"
                    || flag.contains(&format!("ERP_PLUGIN_{}_", of.trim_matches('`').to_uppercase().replace(' ', "_")))
            };
            assert!(commands.iter().any(is_named_for), "a variable is named for a command that has it: {flag}");
        }
        assert_eq!(page.matches("| `--").count(), found.len(), "docs/environment.md has a flag too many");
    }
}
