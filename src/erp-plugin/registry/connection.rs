//! How a server is reached.

use std::time::Duration;

use zeroize::Zeroizing;

/// How a server is reached.
#[derive(Clone)]
pub struct ServerConnection {
    /// What the server knows the user by.
    pub token: Option<Zeroizing<String>>,
    /// How long a request may take beside the time that its body needs.
    pub timeout: Duration,
    /// A proxy, instead of what the environment names.
    pub proxy: Option<String>,
    /// Further certificates of authorities that are trusted, as PEM.
    pub ca: Option<Vec<u8>>,
    /// What waits between two attempts.
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
        // The token is shown nowhere.
        f.debug_struct("Connection").field("timeout", &self.timeout).field("proxy", &self.proxy).finish_non_exhaustive()
    }
}
