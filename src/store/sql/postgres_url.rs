//! The address of a PostgreSQL database.

use std::fmt;
use std::str::FromStr;

use tokio_postgres::Config;

use super::SqlError;
use super::postgres_tls::Encryption;

/// The address of a database, `postgres://user@host:port/name`; never displays the password.
#[derive(Clone)]
pub struct PostgresUrl {
    pub(super) config: Box<Config>,
    pub(super) encryption: Encryption,
    shown: String,
}

/// Splits off `sslmode` and `sslrootcert`, which the driver does not know: parameters of a URL, or words of a
/// `key=value` text. Returns the rest and the two values.
fn taken_apart(text: &str) -> (String, Option<String>, Option<String>) {
    let (mut mode, mut authorities) = (None, None);
    let mut take = |word: &str| {
        let Some((key, value)) = word.split_once('=') else { return false };
        let place = match key.trim() {
            "sslmode" => &mut mode,
            "sslrootcert" => &mut authorities,
            _ => return false,
        };
        *place = Some(percent_decoded(value.trim().trim_matches('\'')));
        true
    };
    let rest = match text.split_once('?') {
        Some((address, parameters)) => {
            let left: Vec<&str> = parameters.split('&').filter(|word| !take(word)).collect();
            if left.is_empty() { address.to_owned() } else { format!("{address}?{}", left.join("&")) }
        }
        None if text.contains("://") => text.to_owned(),
        None => text.split_whitespace().filter(|word| !take(word)).collect::<Vec<_>>().join(" "),
    };
    (rest, mode, authorities)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl FromStr for PostgresUrl {
    type Err = SqlError;

    fn from_str(text: &str) -> Result<PostgresUrl, SqlError> {
        let (address, mode, authorities) = taken_apart(text);
        let config = Config::from_str(&address).map_err(|error| {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            SqlError::Address(format!("not the address of a PostgreSQL database: {why}"))
        })?;
        if config.get_password().is_some() {
            return Err(SqlError::Address(
                "the address holds a password, which every process could read: put it into PGPASSWORD".to_owned(),
            ));
        }
        let encryption = Encryption::of(mode.as_deref(), authorities.as_deref(), &config)?;
        let host = config.get_hosts().first().map_or_else(String::new, |host| match host {
            tokio_postgres::config::Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            tokio_postgres::config::Host::Unix(folder) => folder.display().to_string(),
        });
        let name = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
        let shown = format!("postgres://{host}/{name}");
        Ok(PostgresUrl { config: Box::new(config), encryption, shown })
    }
}

impl PostgresUrl {
    /// Sets the password of the user.
    #[must_use]
    pub fn with_password(mut self, password: Option<&str>) -> PostgresUrl {
        if let Some(password) = password {
            self.config.password(password);
        }
        self
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_no_password_and_shows_none() {
        assert!("postgres://ada:geheim@localhost:5432/erp".parse::<PostgresUrl>().is_err());
        let url = "postgres://ada@localhost:5432/erp".parse::<PostgresUrl>().unwrap().with_password(Some("geheim"));
        assert_eq!(url.to_string(), "postgres://localhost/erp");
        assert!(!format!("{url:?}").contains("geheim"));
    }

    #[test]
    fn servers_on_other_machines_are_verified_unless_somebody_says_otherwise() {
        let encryption = |text: &str| text.parse::<PostgresUrl>().unwrap().encryption;
        let verified = |file: Option<&str>| Encryption::Verified(file.map(Into::into));
        for own in
            ["postgres://a@localhost/erp", "postgres://a@127.0.0.1/erp", "host=/run/postgresql user=a", "host=::1"]
        {
            assert_eq!(encryption(own), Encryption::None, "{own}");
        }
        assert_eq!(encryption("postgres://a@db.example.com/erp"), verified(None));
        assert_eq!(encryption("host=10.0.0.8 user=a"), verified(None));
        assert_eq!(encryption("postgres://a@db.example.com/erp?sslmode=disable"), Encryption::None);
        assert_eq!(encryption("postgres://a@localhost/erp?sslmode=require"), Encryption::Unverified);
        // `hostaddr` gives a name another address.
        assert_eq!(encryption("host=localhost hostaddr=10.0.0.8 user=a"), verified(None));
        assert_eq!(encryption("hostaddr=10.0.0.8 user=a"), verified(None));
        assert_eq!(encryption("host=localhost hostaddr=127.0.0.1 user=a"), Encryption::None);
        let both = "postgres://a@localhost/erp?connect_timeout=3&sslmode=verify-full&sslrootcert=/a%20b/ca.pem";
        assert_eq!(encryption(both), verified(Some("/a b/ca.pem")));
        assert_eq!(encryption("host=localhost sslmode=verify-full sslrootcert='/ca.pem'"), verified(Some("/ca.pem")));
        assert!("postgres://a@localhost/erp?sslmode=perhaps".parse::<PostgresUrl>().is_err());
    }
}
