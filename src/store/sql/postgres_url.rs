//! Where a PostgreSQL database is.

use std::fmt;
use std::str::FromStr;

use postgres::Config;

use super::SqlError;

/// The address of a database, `postgres://user@host:port/name`; the password is never shown.
#[derive(Clone)]
pub struct PostgresUrl {
    pub(super) config: Box<Config>,
    shown: String,
}

impl FromStr for PostgresUrl {
    type Err = SqlError;

    fn from_str(text: &str) -> Result<PostgresUrl, SqlError> {
        let config = Config::from_str(text).map_err(|error| {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            SqlError::Address(format!("not the address of a PostgreSQL database: {why}"))
        })?;
        if config.get_password().is_some() {
            return Err(SqlError::Address(
                "the address holds a password, which every process could read: put it into PGPASSWORD".to_owned(),
            ));
        }
        if config.get_ssl_mode() == postgres::config::SslMode::Require {
            return Err(SqlError::Address(
                "sslmode=require: this version speaks to PostgreSQL without TLS; use a socket or a tunnel".to_owned(),
            ));
        }
        let host = config.get_hosts().first().map_or_else(String::new, |host| match host {
            postgres::config::Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            postgres::config::Host::Unix(folder) => folder.display().to_string(),
        });
        let name = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
        let shown = format!("postgres://{host}/{name}");
        Ok(PostgresUrl { config: Box::new(config), shown })
    }
}

impl PostgresUrl {
    /// The same, with the password of its user.
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
}
