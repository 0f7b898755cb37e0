//! The stages of verification.

use serde::Serialize;

use crate::archive::PackageProblem;

/// Declares the stages: the name and the purpose of each.
macro_rules! stages {
    ($( $variant:ident = $word:literal, $why:literal; )*) => {
        /// A stage of verification. The stages run in this order; after one fails, the rest is skipped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Stage {
            $( #[doc = $why] $variant, )*
        }

        impl Stage {
            /// Every stage, in order.
            pub const ALL: &'static [Stage] = &[$( Stage::$variant ),*];

            /// Returns the name of the stage.
            pub fn word(self) -> &'static str {
                match self { $( Stage::$variant => $word, )* }
            }

            /// Returns what the stage checks, and why at this point.
            pub fn why(self) -> &'static str {
                match self { $( Stage::$variant => $why, )* }
            }
        }
    };
}

stages! {
    File = "file", "The file is read once, and its SHA-256 is the one that was expected, where one was named. What was looked at is what is used.";
    Receipt = "receipt", "A registry that you trust says that it took exactly this file, and when. Only with --against-receipt; the moment decides whether a key that was revoked later still counts.";
    Structure = "structure", "The container has the one form that packages have: no second directory, no hidden data, no names that mean two things. All sizes are bounded before anything is inflated.";
    Envelope = "envelope", "The one file that is inflated before somebody vouches for it: at most 1 MiB of strict JSON with the signed statement and its signatures.";
    Signatures = "signatures", "Who signed the statement, and whether you trust them for this plugin: keys, scopes, thresholds, expiry, revocations.";
    Statement = "statement", "What was signed is about these files and no others, with these sizes.";
    Digests = "digests", "Every file is inflated and has the SHA-256 that was signed.";
    Manifest = "manifest", "The manifest can be read, and says what the statement says: id, version, host API, and the digest of what it asks for.";
    Contents = "contents", "Manifest and component keep every rule of the platform; the component imports only what the manifest may ask for.";
    SupplyChain = "supply chain", "The bill of materials and the account of the build, where they are there, are about this component.";
    Policy = "policy", "The package was not withdrawn, and is not older than what is installed.";
}

/// What came of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StageOutcome {
    /// All is well.
    Ok,
    /// Nothing is wrong, and no trusted key vouches for it.
    Unproven,
    /// The package must not be used.
    No,
    /// A stage before it failed, or it was not requested.
    Skipped,
}

/// A stage and its result.
#[derive(Debug, Clone)]
pub struct Check {
    /// The stage.
    pub stage: Stage,
    /// The outcome of the stage.
    pub outcome: StageOutcome,
    /// A summary of the result in one line.
    pub detail: String,
    /// All problems that the stage found.
    pub problems: Vec<PackageProblem>,
}
