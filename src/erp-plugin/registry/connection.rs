//! How a server is reached.

use std::time::Duration;

use zeroize::Zeroizing;

/// How a server is reached.
#[derive(Clone)]
pub struct ServerConnection {
    /// The token that identifies the user; none for an anonymous client.
    pub token: Option<Zeroizing<String>>,
    /// How long a request may take, without the time for the body of an upload.
    pub timeout: Duration,
    /// A proxy that replaces the one of the environment.
    pub proxy: Option<String>,
    /// Additional certificates of trusted authorities, as PEM.
    pub ca: Option<Vec<u8>>,
    /// The function that waits between two attempts; `std::thread::sleep` by default.
    pub pause: fn(Duration),
}

impl Default for ServerConnection {
    fn default() -> ServerConnection {
        ServerConnection {
            token: None,
            timeout: Duration::from_mins(1),
            proxy: None,
            ca: None,
            pause: std::thread::sleep,
        }
    }
}

impl std::fmt::Debug for ServerConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is never shown.
        f.debug_struct("Connection").field("timeout", &self.timeout).field("proxy", &self.proxy).finish_non_exhaustive()
    }
}
