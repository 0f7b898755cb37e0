//! The addresses that a manifest allows, and the private ones among them.

use std::net::IpAddr;

use thiserror::Error;
use url::{Host, Url};

use super::Network;

/// Checks an address against the patterns of a manifest. Returns which network addresses the request may reach.
///
/// A pattern is an address whose host may begin with `*.` and whose path may end with `*`:
/// `https://api.example.com/v1/*`.
///
/// # Errors
/// The reason why the address is not allowed.
pub fn allowed<'p>(patterns: impl Iterator<Item = &'p str>, url: &str) -> Result<Network, String> {
    let address = Url::parse(url).map_err(|error| format!("`{url}` is no address: {error}"))?;
    if !matches!(address.scheme(), "http" | "https") {
        return Err(format!("`{}` is not http or https", address.scheme()));
    }
    if !address.username().is_empty() || address.password().is_some() {
        return Err("an address with a name and a password in it is not sent".to_owned());
    }
    if !is_normal(address.path()) {
        return Err(format!("`{}` is not written in its normal form: without `//` and needless `%`", address.path()));
    }
    for pattern in patterns {
        let Ok(pattern) = UrlPattern::parse(pattern) else { continue };
        if pattern.matches(&address) {
            return Ok(pattern.network());
        }
    }
    let origin = address.origin().ascii_serialization();
    Err(format!("`{origin}` is not granted: name it in `http` of [capabilities], such as \"{origin}/*\""))
}

/// Returns whether a path is in normal form. A path that two parsers could read as two paths is never compared with a
/// pattern.
fn is_normal(path: &str) -> bool {
    let bytes = path.as_bytes();
    let hidden = bytes.windows(3).filter(|part| part[0] == b'%').any(|part| {
        let code = std::str::from_utf8(&part[1..]).ok().and_then(|code| u8::from_str_radix(code, 16).ok());
        code.is_none_or(|byte| byte.is_ascii_alphanumeric() || b"-._~/\\%".contains(&byte) || byte < b' ')
    });
    !hidden && !path.contains("//")
}

/// A pattern of a manifest's allow-list.
#[derive(Debug)]
pub struct UrlPattern {
    scheme: String,
    host: String,
    any_subdomain: bool,
    port: Option<u16>,
    path: String,
    any_rest: bool,
}

/// The reason why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlPatternError {
    /// It is not an `http` or `https` URL, or it has a user name, a password or a query.
    #[error("it is no address that could be called")]
    NoAddress,
    /// It is an IP address in an unusual notation, which hides the address from a reader.
    #[error("it leads to {0}, and does not say so")]
    Disguised(IpAddr),
}

impl UrlPattern {
    /// Parses a pattern. An IP address must have its usual notation, so that a reader of the manifest sees which one it
    /// is.
    ///
    /// # Errors
    /// [`UrlPatternError`].
    pub fn parse(text: &str) -> Result<UrlPattern, UrlPatternError> {
        let any_subdomain = text.contains("://*.");
        let bare = text.replacen("://*.", "://", 1);
        let url = Url::parse(&bare).map_err(|_| UrlPatternError::NoAddress)?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        let host = url.host().filter(|_| matches!(url.scheme(), "http" | "https") && is_plain);
        let host = host.ok_or(UrlPatternError::NoAddress)?;
        if let Some(address) = disguised(&host, &bare) {
            return Err(UrlPatternError::Disguised(address));
        }
        let path = url.path();
        let any_rest = path.ends_with('*');
        Ok(UrlPattern {
            scheme: url.scheme().to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            any_subdomain,
            port: url.port_or_known_default(),
            path: path.trim_end_matches('*').to_owned(),
            any_rest,
        })
    }

    fn matches(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let is_host = if self.any_subdomain {
            host.strip_suffix(self.host.as_str()).is_some_and(|rest| rest.ends_with('.'))
        } else {
            host == self.host
        };
        let is_path = if self.any_rest { url.path().starts_with(&self.path) } else { url.path() == self.path };
        url.scheme() == self.scheme && is_host && url.port_or_known_default() == self.port && is_path
    }

    /// A pattern permits private addresses only if it names one itself (or `localhost`), because another name could
    /// lead to any address.
    fn network(&self) -> Network {
        let is_private = match Host::parse(&self.host) {
            Ok(Host::Ipv4(address)) => !is_public(address.into()),
            Ok(Host::Ipv6(address)) => !is_public(address.into()),
            _ => self.host == "localhost",
        };
        if is_private && !self.any_subdomain { Network::Any } else { Network::Public }
    }
}

/// Returns the IP address of a host that is written in an unusual notation: as one number, in octal or hexadecimal, or
/// with full-width digits. Returns special IPv6 addresses too, such as those that carry an IPv4 address.
fn disguised(host: &Host<&str>, text: &str) -> Option<IpAddr> {
    let behind = text.split_once("//")?.1;
    let authority = behind.split(['/', '?', '#']).next().unwrap_or_default();
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => {
            let written = authority.split(':').next().unwrap_or_default();
            (written != address.to_string()).then_some(IpAddr::V4(*address))
        }
        Host::Ipv6(address) => {
            let first = address.segments()[0];
            let is_plain = is_public(IpAddr::V6(*address))
                || address.is_loopback()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80;
            (!is_plain).then_some(IpAddr::V6(*address))
        }
    }
}

/// Returns whether an address is public on the internet: neither local to a machine, a network or a provider, nor
/// reserved.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            let is_special = address.is_unspecified()
                || address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || address.is_documentation();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_reserved =
                a == 0 || a >= 240 || (a == 192 && b == 0 && c == 0) || (a == 198 && (b == 18 || b == 19));
            !(is_special || is_shared || is_reserved)
        }
        IpAddr::V6(address) => {
            if let Some(inner) = address.to_ipv4() {
                // Mapped and compatible addresses lead to the IPv4 address in them.
                return is_public(inner.into()) && !address.is_loopback();
            }
            let first = address.segments()[0];
            let is_unique_local = first & 0xfe00 == 0xfc00;
            let is_link_local = first & 0xffc0 == 0xfe80;
            // 2001:db8::/32 is for examples. 2002::/16 and 64:ff9b::/32 (with 64:ff9b::/96) carry IPv4 addresses.
            let is_carrier = first == 0x2002 || (first == 0x64 && address.segments()[1] == 0xff9b);
            let second = address.segments()[1];
            let is_example = first == 0x2001 && second == 0x0db8;
            // Deprecated site-local addresses (fec0::/10), Teredo (2001::/32), and addresses that a gateway translates
            // (::ffff:0:0:0/96).
            let is_old = first & 0xffc0 == 0xfec0 || (first == 0x2001 && second == 0);
            let is_translated = address.segments()[..4] == [0; 4] && address.segments()[4] == 0xffff;
            !(address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()
                || is_unique_local
                || is_link_local
                || is_carrier
                || is_old
                || is_translated
                || is_example)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(pattern: &str, url: &str) -> Option<Network> {
        allowed([pattern].into_iter(), url).ok()
    }

    #[test]
    fn patterns_allow_what_they_say() {
        let api = "https://api.example.com/v1/*";
        assert_eq!(network(api, "https://api.example.com/v1/rates?x=1"), Some(Network::Public));
        for refused in [
            "https://api.example.com/v2/rates",
            "http://api.example.com/v1/rates",
            "https://api.example.com:8443/v1/rates",
            "https://api.example.com.evil.com/v1/rates",
            "https://user@api.example.com/v1/rates",
            "https://api.example.com/v1/../v2",
            "https://api.example.com/v1/..%2fv2",
            "https://api.example.com/v1//admin",
            "https://api.example.com/v1/%61dmin",
            "file:///etc/passwd",
        ] {
            assert_eq!(network(api, refused), None, "{refused}");
        }
        assert_eq!(network("https://*.example.com/*", "https://a.example.com/x"), Some(Network::Public));
        assert_eq!(network("https://*.example.com/*", "https://example.com/x"), None);
        assert_eq!(network("http://127.0.0.1:8080/*", "http://127.0.0.1:8080/x"), Some(Network::Any));
    }

    #[test]
    fn an_address_of_the_network_stands_there_as_it_is() {
        for disguised in [
            "http://2130706433:8089/*",
            "http://0x7f.1/*",
            "http://0177.0.0.1/*",
            "http://127.1/*",
            "http://127.0.0.1./*",
            "http://0/*",
            "http://１２７.0.0.1/*",
            "http://[::ffff:127.0.0.1]/*",
            "http://[::127.0.0.1]/*",
            "http://[64:ff9b::7f00:1]/*",
            "http://[2002:7f00:1::]/*",
            "http://*.0x7f.1/*",
        ] {
            assert!(matches!(UrlPattern::parse(disguised), Err(UrlPatternError::Disguised(_))), "{disguised}");
            assert_eq!(network(disguised, "http://127.0.0.1/x"), None, "{disguised}");
        }
        for plain in ["http://127.0.0.1:8080/*", "http://10.0.0.8/*", "http://[::1]:3000/*", "http://[fd00::8]/x"] {
            assert!(UrlPattern::parse(plain).is_ok(), "{plain}");
        }
    }

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "fec0::1",
            "2001::1",
            "::ffff:0:10.0.0.1",
            "0.0.0.0",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "2606:4700::1111"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
