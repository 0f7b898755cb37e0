//! The numbers that `erp-plugin` exits with. They never change: scripts depend on them.

use serde::Serialize;

/// The exit code of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitCode {
    /// The command succeeded.
    Ok,
    /// Findings of error level, or failed tests.
    Findings,
    /// The command line could not be understood.
    Usage,
    /// The manifest, a scenario or a setting is wrong, or a file could not be read or written.
    Configuration,
    /// No test matched, or the project has no tests.
    NoTests,
    /// A required tool is missing on this machine.
    Toolchain,
    /// The network failed, or a server failed or refused the request.
    Network,
    /// A signature, a digest or a key is invalid or not trusted, or a package was refused.
    Trust,
    /// A bug in erp-plugin itself.
    Bug,
    /// The build tool (cargo, jco or componentize-py) failed and printed its own messages.
    CargoBuild,
    /// The user interrupted the run.
    Interrupted,
}

impl ExitCode {
    /// All exit codes, in the order of their numbers.
    pub const ALL: [ExitCode; 11] = [
        ExitCode::Ok,
        ExitCode::Findings,
        ExitCode::Usage,
        ExitCode::Configuration,
        ExitCode::NoTests,
        ExitCode::Toolchain,
        ExitCode::Network,
        ExitCode::Trust,
        ExitCode::Bug,
        ExitCode::CargoBuild,
        ExitCode::Interrupted,
    ];

    /// The number that the process exits with.
    pub fn number(self) -> u8 {
        match self {
            ExitCode::Ok => 0,
            ExitCode::Findings => 1,
            ExitCode::Usage => 2,
            ExitCode::Configuration => 3,
            ExitCode::NoTests => 4,
            ExitCode::Toolchain => 5,
            ExitCode::Network => 6,
            ExitCode::Trust => 7,
            ExitCode::Bug => 70,
            ExitCode::CargoBuild => 101,
            ExitCode::Interrupted => 130,
        }
    }

    /// The exit code with this number; `None` for an unknown number.
    pub fn of_number(number: u8) -> Option<ExitCode> {
        ExitCode::ALL.into_iter().find(|code| code.number() == number)
    }

    /// One sentence for the documentation.
    pub fn meaning(self) -> &'static str {
        match self {
            ExitCode::Ok => "Everything that was asked for was done.",
            ExitCode::Findings => "Findings of error level, or failed tests.",
            ExitCode::Usage => "The command line could not be understood.",
            ExitCode::Configuration => {
                "The manifest, a scenario or a setting is wrong, or a file could not be read or written."
            }
            ExitCode::NoTests => "No test matched, or there was none.",
            ExitCode::Toolchain => "A tool that the work needs is missing; `erp-plugin doctor` says which.",
            ExitCode::Network => "The network or the server at its other end failed or refused.",
            ExitCode::Trust => "A signature, a digest, a key or the trust in it.",
            ExitCode::Bug => "A bug in erp-plugin; the message says what to report.",
            ExitCode::CargoBuild => "The build failed (cargo, jco, componentize-py); its own messages were shown.",
            ExitCode::Interrupted => "The user interrupted the run.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode;

    #[test]
    fn the_page_of_exit_codes_has_every_one() {
        let page = include_str!("../../docs/exit-codes.md");
        for code in ExitCode::ALL {
            assert!(
                page.contains(&format!("| {} | {} |", code.number(), code.meaning())),
                "docs/exit-codes.md lacks {code:?}"
            );
        }
    }
}
