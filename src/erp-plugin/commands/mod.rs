//! One file per command: its arguments, whose doc comments are the help, and its action.

mod add;
mod bench;
pub(crate) mod build;
mod call;
mod check;
mod completions;
mod credentials;
mod demo;
mod dev;
mod doctor;
mod explain;
mod generate;
mod host;
mod init;
mod inspect;
mod key;
mod login;
mod man;
mod migrate;
mod new;
mod node;
mod open_project;
mod pack;
mod package_file;
pub(crate) mod package_findings;
mod present_component;
mod publish;
mod rebuild;
mod replay;
mod schema;
mod seed;
mod sign;
mod sql;
mod template_source;
mod test;
mod verify;
mod version;
mod wit;
pub(crate) mod workspace;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use erp_manifest::exit_code::ExitCode;
use erp_runtime::{LIMITS, LimitOverrides};
use erp_store::PostgresUrl;

use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::dev_host::HostPlace;
use crate::project::workspace_root;
use crate::settings::Environment;
use crate::ui::Format;

/// Parses the limits of `--limit NAME=VALUE`.
fn limits_of(given: &[String]) -> Result<LimitOverrides, CommandError> {
    let mut limits = LimitOverrides::default();
    for limit in given {
        let (name, value) = limit.split_once('=').unwrap_or((limit, ""));
        limits.add(name, value).map_err(|error| {
            let known: Vec<&str> = LIMITS.iter().map(|limit| limit.name).collect();
            let error = CommandError::new(codes::USAGE, format!("--limit {limit}: {error}"));
            error.hint(format!("limits are {}", known.join(", ")))
        })?;
    }
    Ok(limits)
}

/// Adds the password of `PGPASSWORD` to the address of a database.
fn with_password(url: &PostgresUrl) -> PostgresUrl {
    let password = Environment::database_password();
    url.clone().with_password(password.as_ref().map(|password| password.as_str()))
}

/// Where a dev host's plugins, rows and users are.
#[derive(Debug, Clone, Args)]
pub(crate) struct HostArgs {
    /// Where the state is kept; .erp-plugin/dev beside the manifest if it is absent
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// Keep the data in PostgreSQL, such as `postgres://erp@localhost/erp`; the password comes from PGPASSWORD
    #[arg(long, value_name = "URL")]
    database: Option<PostgresUrl>,
}

impl HostArgs {
    fn place(&self, context: &Context) -> Result<HostPlace, CommandError> {
        let state_folder = match &self.state_dir {
            Some(folder) => context.path(folder),
            None if context.workspace => workspace_root(&context.directory).join(".erp-plugin/dev"),
            None => match context.project() {
                Ok(project) => project.root.join(".erp-plugin/dev"),
                Err(error) => return Err(error.hint("or name a folder for the state: --state-dir")),
            },
        };
        Ok(HostPlace {
            state_folder,
            database: self.database.as_ref().map(with_password),
            compilation: context.compilation(),
        })
    }
}

type CommandResult = Result<ExitCode, CommandError>;

/// The commands, in the order in which a plugin meets them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(new::NewArgs),
    Init(init::InitArgs),
    #[command(subcommand)]
    Add(add::AddCommand),
    Generate(generate::GenerateArgs),
    Build(build::BuildArgs),
    Check(check::CheckArgs),
    Test(test::TestArgs),
    Call(call::CallArgs),
    Bench(bench::BenchArgs),
    Replay(replay::ReplayArgs),
    Dev(dev::DevArgs),
    #[command(subcommand)]
    Node(node::NodeCommand),
    Sql(sql::SqlArgs),
    Seed(seed::SeedArgs),
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    #[command(subcommand)]
    Wit(wit::WitCommand),
    Inspect(inspect::InspectArgs),
    Version(version::VersionArgs),
    Pack(pack::PackArgs),
    #[command(subcommand)]
    Key(key::KeyCommand),
    Sign(sign::SignArgs),
    Verify(verify::VerifyArgs),
    Login(login::LoginArgs),
    Publish(publish::PublishArgs),
    Host(host::HostCommandArgs),
    Demo(demo::DemoArgs),
    Doctor(doctor::DoctorArgs),
    Explain(explain::ExplainArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    /// The output formats that the command supports.
    pub(crate) fn formats(&self) -> &'static [Format] {
        use Format::{Github, Html, Human, Json, Jsonl, Junit, Sarif, Tap};
        match self {
            Command::Check(_) => &[Human, Json, Sarif, Github, Junit],
            Command::Test(_) => &[Human, Json, Github, Junit, Tap, Jsonl, Html],
            _ => &[Human, Json],
        }
    }

    /// True for commands that work on all plugins of a workspace at once.
    pub(crate) fn takes_workspace(&self) -> bool {
        matches!(self, Command::Dev(_))
    }

    /// True for commands that `--workspace` runs for each plugin.
    fn works_on_each(&self) -> bool {
        matches!(
            self,
            Command::Generate(_)
                | Command::Build(_)
                | Command::Check(_)
                | Command::Test(_)
                | Command::Bench(_)
                | Command::Version(_)
                | Command::Pack(_)
                | Command::Sign(_)
                | Command::Verify(_)
                | Command::Publish(_)
                | Command::Inspect(_)
        )
    }

    pub(crate) fn run(&self, context: &Context) -> CommandResult {
        match self {
            Command::New(args) => new::run(context, args),
            Command::Init(args) => init::run(context, args),
            Command::Add(command) => add::run(context, command),
            Command::Generate(args) => generate::run(context, args),
            Command::Build(args) => build::run(context, args),
            Command::Check(args) => check::run(context, args),
            Command::Test(args) => test::run(context, args),
            Command::Call(args) => call::run(context, args),
            Command::Bench(args) => bench::run(context, args),
            Command::Replay(args) => replay::run(context, args),
            Command::Dev(args) => dev::run(context, args),
            Command::Node(command) => node::run(context, command),
            Command::Sql(args) => sql::run(context, args),
            Command::Seed(args) => seed::run(context, args),
            Command::Migrate(command) => migrate::run(context, command),
            Command::Wit(command) => wit::run(context, command),
            Command::Inspect(args) => inspect::run(context, args),
            Command::Version(args) => version::run(context, args),
            Command::Pack(args) => pack::run(context, args),
            Command::Key(command) => key::run(context, command),
            Command::Sign(args) => sign::run(context, args),
            Command::Verify(args) => verify::run(context, args),
            Command::Login(args) => login::run(context, args),
            Command::Publish(args) => publish::run(context, args),
            Command::Host(args) => host::run(context, args),
            Command::Demo(args) => demo::run(context, args),
            Command::Doctor(args) => doctor::run(context, args),
            Command::Explain(args) => explain::run(context, args),
            Command::Schema(args) => schema::run(context, args),
            Command::Completions(args) => {
                completions::run(context, args);
                Ok(ExitCode::Ok)
            }
            Command::Man(args) => man::run(context, args),
        }
    }
}
