//! Tokens of servers: where they come from, and where `login` stores them.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use erp_manifest::digest::sha256_hex;
use zeroize::Zeroizing;

use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::registry::{ServerConnection, origin};
use crate::settings::Environment;

/// Maximum size of a token on standard input, in bytes.
const MAX_TOKEN_BYTES: u64 = 16 << 10;

/// Where a token comes from. It is never an argument: those are visible to everyone.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// A file with the token; else `ERP_PLUGIN_TOKEN`, else what `login` keeps for the server
    #[arg(long, value_name = "FILE", conflicts_with = "token_stdin", global = true)]
    token_file: Option<PathBuf>,
    /// Read the token from standard input
    #[arg(long, global = true)]
    token_stdin: bool,
}

/// How a platform is reached.
#[derive(Debug, Args)]
pub(crate) struct ConnectionArgs {
    #[command(flatten)]
    token: TokenArgs,
    /// Seconds that one request may take, beside the time that a package needs on a slow line
    #[arg(long, value_name = "SECONDS", default_value_t = 60, global = true)]
    timeout: u64,
    /// A proxy, instead of `HTTPS_PROXY` and its kin
    #[arg(long, value_name = "URL", global = true)]
    proxy: Option<String>,
    /// Certificates of authorities that are trusted beside the system's, as PEM
    #[arg(long, value_name = "FILE", env = "ERP_PLUGIN_PUBLISH_CA_FILE", hide_env_values = true, global = true)]
    ca_file: Option<PathBuf>,
}

impl ConnectionArgs {
    /// Returns the connection to a platform, with its token. Fails with `--offline`.
    pub(super) fn to(&self, context: &Context, address: &str) -> Result<ServerConnection, CommandError> {
        if context.offline {
            let error = CommandError::new(codes::OFFLINE, "this needs the network, and --offline forbids it");
            return Err(error.hint("run again without `--offline`"));
        }
        Ok(ServerConnection {
            token: self.token.token(context, address)?,
            timeout: Duration::from_secs(self.timeout.max(1)),
            proxy: self.proxy.clone(),
            ca: self.ca_file.as_deref().map(|file| context.read(file)).transpose()?,
            ..ServerConnection::default()
        })
    }
}

impl TokenArgs {
    /// The token for a server: from a flag, else the environment, else from `login`. `None` if there is none.
    pub(super) fn token(&self, context: &Context, server: &str) -> Result<Option<Zeroizing<String>>, CommandError> {
        if self.token_stdin {
            return read_stdin().map(Some);
        }
        if let Some(file) = &self.token_file {
            return text_of(context.read(file)?).map(Some);
        }
        if let Some(token) = Environment::token() {
            return Ok(Some(token));
        }
        match credentials_file(context, server) {
            Ok(file) if file.is_file() => text_of(context.read(&file)?).map(Some),
            _ => Ok(None),
        }
    }

    /// The token to store: from a flag, else the environment, else from a prompt.
    pub(super) fn new_token(&self, context: &Context) -> Result<Zeroizing<String>, CommandError> {
        let given = match &self.token_file {
            Some(file) => Some(text_of(context.read(file)?)?),
            None if self.token_stdin => Some(read_stdin()?),
            None => match Environment::token() {
                Some(token) => Some(token),
                None => context.ui.ask_secret("Token:").map(Zeroizing::new),
            },
        };
        given.filter(|token| !token.trim().is_empty()).ok_or_else(|| {
            CommandError::new(codes::USAGE, "there is no token")
                .hint("pipe it in with --token-stdin, or name a file with --token-file")
        })
    }
}

/// The file that stores the token of a server. Tokens belong to an origin: scheme, host and port.
pub(super) fn credentials_file(context: &Context, server: &str) -> Result<PathBuf, CommandError> {
    let usage = |message: String| CommandError::new(codes::PUBLISH_ADDRESS, message);
    let origin = origin(server).ok_or_else(|| usage(format!("`{server}` is no address of a server")))?;
    let config = context.folders.config.as_ref();
    let config = config.ok_or_else(|| usage("there is no folder for tokens: HOME is not set".to_owned()))?;
    // The name is a digest, because an address has characters with a meaning in file names.
    Ok(config.join("credentials").join(format!("{}.token", sha256_hex(origin.as_bytes()))))
}

fn read_stdin() -> Result<Zeroizing<String>, CommandError> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(MAX_TOKEN_BYTES).read_to_end(&mut bytes);
    read.map_err(|error| CommandError::new(codes::TOKEN, error.to_string()))?;
    text_of(bytes)
}

fn text_of(bytes: Vec<u8>) -> Result<Zeroizing<String>, CommandError> {
    let text = String::from_utf8(bytes).map_err(|_| CommandError::new(codes::TOKEN, "the token is not UTF-8"))?;
    Ok(Zeroizing::new(Zeroizing::new(text).trim().to_owned()))
}
