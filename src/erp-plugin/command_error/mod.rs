//! Where errors of the rooms become errors of a command: with a code, hints and an exit code.

pub(crate) mod codes;

use std::io::Write;

use erp_component::DescriptionError;
use erp_files::WriteError;
use erp_manifest::codes::{Code, ErrorCode, errors};
use erp_manifest::diagnostics::{Diagnostic, DiagnosticJson, Report, printable};
use erp_manifest::exit_code::ExitCode;
use erp_package::signing;
use erp_package::signing::{EnvelopeError, KeyError, RevocationError, RotateError, RotationError, TrustError};
use erp_package::strict_zip::ArchiveRefusal;
use erp_runtime::RuntimeError;
use erp_storage::StoreError;
use erp_store::SqlError;
use schemars::JsonSchema;
use serde::Serialize;

use crate::build::{BuildError, ForeignError, ToolchainError};
use crate::dev_host::{DevHostError, StateFolderError};
use crate::generate::GenerateError;
use crate::link::{ComposeError, LinkError};
use crate::project::{FileError, FileProblem, ProjectError};
use crate::registry::PublishError;
use crate::scaffold::{ScaffoldError, TemplateError};
use crate::ui::{Format, Ui};

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// What the program exits with.
    pub(crate) exit_code: ExitCode,
    /// The code for programs.
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
    pub(crate) hints: Vec<String>,
    pub(crate) report: Report,
}

/// What every command prints with `--format json` where it could not do its work.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FailureJson {
    /// Always false.
    ok: bool,
    /// Why.
    error: ErrorJson,
    /// What explains it, such as the findings of a manifest that cannot be read.
    findings: Vec<DiagnosticJson>,
}

/// Why a command could not do its work.
#[derive(Debug, Serialize, JsonSchema)]
struct ErrorJson {
    /// Stable.
    code: ErrorCode,
    /// For people.
    message: String,
    /// What to type next.
    hints: Vec<String>,
    /// The program's exit code.
    exit_code: u8,
}

impl CommandError {
    /// An error with a code for programs and a sentence for people.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> CommandError {
        CommandError {
            exit_code: code.exit_code(),
            code: code.into(),
            message: message.into(),
            hints: Vec::new(),
            report: Report::new(),
        }
    }

    /// An error with the code of its cause, such as a platform's, which knows nothing of exit codes.
    pub(crate) fn caused_by(exit_code: ExitCode, cause: ErrorCode, message: impl Into<String>) -> CommandError {
        CommandError { exit_code, code: cause, ..CommandError::new(codes::BUG, message) }
    }

    /// Exits as a process did whose failure this is.
    pub(crate) fn exiting_with(self, exit_code: ExitCode) -> CommandError {
        CommandError { exit_code, ..self }
    }

    /// A finding that ends the command.
    pub(crate) fn from_finding(finding: Diagnostic) -> CommandError {
        let mut report = Report::new();
        report.push(finding);
        CommandError::new(codes::COMPONENT, "the component cannot be used").with_report(report)
    }

    /// Says what to type next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> CommandError {
        self.hints.push(hint.into());
        self
    }

    /// Findings that explain the error.
    pub(crate) fn with_report(mut self, report: Report) -> CommandError {
        self.report.extend(report);
        self
    }

    /// Prints the error; returns the exit code.
    pub(crate) fn report_to(&self, ui: &Ui) -> ExitCode {
        if ui.format() == Format::Json {
            ui.result(&self.to_json(), String::new);
        }
        ui.report(&self.report);
        ui.error(&self.message, &self.hints);
        self.exit_code
    }

    fn to_json(&self) -> FailureJson {
        FailureJson {
            ok: false,
            error: ErrorJson {
                code: self.code.clone(),
                message: self.message.clone(),
                hints: self.hints.clone(),
                exit_code: self.exit_code.number(),
            },
            findings: self.report.diagnostics().iter().map(DiagnosticJson::from).collect(),
        }
    }

    /// For errors before there is a terminal to tell them on.
    pub(crate) fn print_json(&self) {
        // Standard output may be closed; there is nobody left to tell.
        let _ = serde_json::to_writer_pretty(std::io::stdout(), &self.to_json());
        let _ = writeln!(std::io::stdout());
    }

    /// For errors before there is a terminal to tell them on.
    pub(crate) fn print_plain(&self) {
        let hints: String = self.hints.iter().map(|hint| format!("\n  help: {hint}")).collect();
        let text = format!("error: {}{hints}", self.message);
        for line in text.lines() {
            let _ = writeln!(std::io::stderr(), "{}", printable(line));
        }
    }
}

impl From<ProjectError> for CommandError {
    fn from(error: ProjectError) -> CommandError {
        let new = CommandError::new(codes::PROJECT, error.to_string());
        match error {
            ProjectError::NotFound { .. } => {
                new.hint("go into a plugin project, or make one: erp-plugin new my-plugin")
            }
            ProjectError::Unreadable(_) => new,
            ProjectError::Outside(_) => new.hint("put the folder itself there instead of the link"),
        }
    }
}

impl From<ToolchainError> for CommandError {
    fn from(error: ToolchainError) -> CommandError {
        let code = match error {
            ToolchainError::NoCargo => codes::NO_CARGO,
            ToolchainError::Broken(_) => codes::TOOLCHAIN,
            ToolchainError::NoTarget(_) => codes::NO_TARGET,
            ToolchainError::Script(_) => codes::TOOLCHAIN_SCRIPT,
        };
        let new = CommandError::new(code, error.to_string());
        match error {
            ToolchainError::NoCargo => new.hint("install Rust, then run: erp-plugin doctor --fix"),
            ToolchainError::Broken(_) => new
                .hint("a rust-toolchain.toml here or above, or `rustup override`, chooses it: install it (rustup toolchain install NAME), or take the choice back"),
            ToolchainError::NoTarget(_) => new.hint("erp-plugin doctor --fix").hint(
                "where a rust-toolchain.toml chooses another toolchain than usual: rustup target add wasm32-wasip2, in this folder",
            ),
            ToolchainError::Script(_) => {
                new.hint("what failed stands above; run it again when it is mended: it goes on where it stopped")
            }
        }
    }
}

impl From<BuildError> for CommandError {
    fn from(error: BuildError) -> CommandError {
        let message = error.to_string();
        match error {
            BuildError::Failed(_) => CommandError::new(codes::BUILD, message),
            BuildError::Metadata(_) => CommandError::new(codes::BUILD, message),
            BuildError::Cargo(_) => CommandError::new(codes::TOOLCHAIN, message).hint("erp-plugin doctor"),
            BuildError::Copy(_) => CommandError::new(codes::IO, message),
            BuildError::NoCdylib(_) => CommandError::new(codes::BUILD_SETUP, message)
                .hint("write into Cargo.toml:  [lib]  crate-type = [\"cdylib\"]"),
            BuildError::LockOutdated => CommandError::new(codes::LOCK_OUTDATED, message)
                .hint("`erp-plugin build` without --release brings it up to date; or: cargo update --workspace")
                .hint("what ships is built from what is locked: erp-plugin passes --locked to cargo where there is a Cargo.lock"),
            BuildError::UnsafeForbidden => CommandError::new(codes::BUILD_SETUP, message)
                .hint("write `unsafe_code = \"deny\"` into [lints.rust] of Cargo.toml instead of \"forbid\" (or #![deny(unsafe_code)] in src/lib.rs): src/erp allows it for itself"),
            BuildError::Linker(named) => CommandError::new(codes::BUILD_SETUP, message).hint(format!(
                "{} names it: take `linker` away for wasm32-wasip2, whose own linker is wasm-component-ld",
                named.place
            )),
            BuildError::NoArtifact => CommandError::new(codes::BUILD, message)
                .hint("is another `--target` set in a .cargo/config.toml above the project?"),
        }
    }
}

impl From<FileError> for CommandError {
    fn from(error: FileError) -> CommandError {
        let new = CommandError::new(codes::PACK_FILES, error.to_string());
        let FileError::Refused(problems) = error else { return new };
        let has_secret = problems.iter().any(|problem| matches!(problem, FileProblem::Secret { .. }));
        let new = problems.iter().fold(new, |new, problem| new.hint(problem.to_string()));
        new.hint(if has_secret {
            "name what must stay behind in .erpxignore; what is no secret: --allow-secret NAME"
        } else {
            "name what may stay behind in .erpxignore"
        })
    }
}

impl From<TrustError> for CommandError {
    fn from(error: TrustError) -> CommandError {
        CommandError::new(codes::TRUST_FILE, error.to_string()).with_report(error.report)
    }
}

impl From<ScaffoldError> for CommandError {
    fn from(error: ScaffoldError) -> CommandError {
        let new = CommandError::new(codes::NEW, error.to_string());
        match error {
            ScaffoldError::NotEmpty(_) => {
                new.hint("choose another name, or make a project of what is there, in it: erp-plugin init")
            }
            ScaffoldError::Exists(_) => new.hint("move these files away; nothing was written"),
            _ => new,
        }
    }
}

impl From<KeyError> for CommandError {
    fn from(error: KeyError) -> CommandError {
        let new = CommandError::new(codes::KEY, error.to_string());
        match error {
            KeyError::NeedsPassphrase => new.hint("set ERP_PLUGIN_KEY_PASSPHRASE, or pass --passphrase-file"),
            KeyError::NotAKey { .. } => new.hint("make a key with: erp-plugin key new NAME"),
            _ => new,
        }
    }
}

impl From<PublishError> for CommandError {
    fn from(error: PublishError) -> CommandError {
        let message = error.to_string();
        match error {
            PublishError::BadAddress(_) => CommandError::new(codes::PUBLISH_ADDRESS, message),
            PublishError::Refused { status: 401, .. } => CommandError::new(codes::PUBLISH_UNAUTHORIZED, message)
                .hint("erp-plugin login SERVER keeps a token; or set ERP_PLUGIN_TOKEN, or pass --token-file"),
            PublishError::Refused { status: 403, code, .. } if code.area() == signing::codes::UNTRUSTED.area() => {
                CommandError::caused_by(ExitCode::Trust, code, message)
                    .hint("sign it with a key that the platform trusts: erp-plugin sign")
            }
            PublishError::Refused { status: 403, .. } => CommandError::new(codes::PUBLISH_FORBIDDEN, message)
                .hint("the token's user lacks the permission plugin.admin"),
            PublishError::Refused { status: 409, code, .. }
                if code == errors::PLUGIN_VERSION_TAKEN || code == errors::PLUGIN_DOWNGRADE =>
            {
                CommandError::new(codes::PUBLISH_CONFLICT, message)
                    .hint("raise `version` in plugin.toml, build and pack again")
            }
            PublishError::Refused { problems, code, .. } => {
                let mut new = CommandError::caused_by(ExitCode::Network, code, message);
                for problem in problems.iter().skip(1) {
                    new = new.hint(problem.clone());
                }
                new
            }
            PublishError::Certificate { .. } => CommandError::new(codes::PUBLISH_CERTIFICATE, message)
                .hint("where an authority of your own signs its certificate: --ca-file FILE"),
            PublishError::Unknown { .. } => CommandError::new(codes::PUBLISH_UNKNOWN, message)
                .hint("erp-plugin publish --status says what is there; running publish again is safe"),
            PublishError::Unavailable { retry_after, .. } => {
                let new = CommandError::new(codes::PUBLISH_UNAVAILABLE, message);
                new.hint(match retry_after {
                    Some(wait) => format!("run publish again in {} seconds; it is safe", wait.as_secs()),
                    None => "run publish again later; it is safe".to_owned(),
                })
            }
            PublishError::Unreachable { .. } => CommandError::new(codes::PUBLISH_UNREACHABLE, message)
                .hint("is the address right, and does the server run?"),
            _ => CommandError::new(codes::PUBLISH_PROTOCOL, message),
        }
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> CommandError {
        CommandError::new(error.code(), error.to_string())
    }
}

impl From<DevHostError> for CommandError {
    fn from(error: DevHostError) -> CommandError {
        let new = CommandError::new(codes::DEV_HOST, error.to_string());
        match error {
            DevHostError::Listen { .. } => new.hint("take another port: --port 0 finds a free one"),
            DevHostError::Store(StoreError::Database { source, .. })
                if matches!(source.downcast_ref(), Some(SqlError::Postgres(_))) =>
            {
                new.hint("see whether PostgreSQL runs there, and whether this user may use the database (PGPASSWORD)")
            }
            DevHostError::Store(_) => {
                new.hint("move platform.sqlite in the state folder away, or name another folder: --state-dir")
            }
            DevHostError::StateFolder(StateFolderError::InUse(_)) => {
                new.hint("stop the other one, or name another folder: --state-dir")
            }
            _ => new,
        }
    }
}

impl From<RuntimeError> for CommandError {
    fn from(error: RuntimeError) -> CommandError {
        let message = error.to_string();
        match error {
            RuntimeError::Engine(_) | RuntimeError::Load(_) | RuntimeError::Interrupted => {
                CommandError::new(codes::RUNTIME, message)
            }
            RuntimeError::Refused(_) | RuntimeError::CompileLimit(_) => {
                let new = CommandError::caused_by(ExitCode::Configuration, error.code().into(), message);
                new.hint(format!("erp-plugin explain {}", error.code()))
            }
        }
    }
}

impl From<ForeignError> for CommandError {
    fn from(error: ForeignError) -> CommandError {
        let code = match &error {
            ForeignError::NoFile(..) | ForeignError::Io(_) => codes::BUILD_SETUP,
            ForeignError::NoTool { .. } => codes::TOOLCHAIN,
            ForeignError::Offline(_) => codes::OFFLINE,
            ForeignError::Failed { .. } => codes::BUILD,
        };
        CommandError::new(code, error.to_string())
    }
}

macro_rules! plain {
    ($($error:ty => $code:expr;)*) => {
        $(
            impl From<$error> for CommandError {
                fn from(error: $error) -> CommandError {
                    CommandError::new($code, error.to_string())
                }
            }
        )*
    };
}

plain! {
    WriteError => codes::IO;
    ArchiveRefusal => codes::PACK_FILES;
    RotateError => codes::TRUST;
    RotationError => codes::TRUST;
    RevocationError => codes::TRUST;
    EnvelopeError => signing::codes::ENVELOPE;
    TemplateError => codes::TEMPLATE;
    GenerateError => codes::BUG;
    LinkError => codes::LINK;
    ComposeError => codes::LINK;
    DescriptionError => codes::BUILD_SETUP;
}
