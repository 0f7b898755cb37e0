//! Addresses of servers: which may receive a token, and which server a token belongs to.

use super::PublishError;

/// Refuses a token that is empty, or that holds white space or control characters: its file was cut off, or it would
/// break out of its header.
pub(super) fn check_token(token: Option<&str>) -> Result<(), PublishError> {
    let is_bad = |token: &str| token.is_empty() || token.chars().any(|c| c.is_control() || c.is_whitespace());
    if token.is_some_and(is_bad) {
        return Err(PublishError::BadAddress("the token is empty or holds white space: is its file whole?".to_owned()));
    }
    Ok(())
}

/// Checks an address, and returns it without slashes at its end. A token is only sent over https, or to this machine.
pub(super) fn checked_address(address: &str, has_token: bool) -> Result<String, PublishError> {
    let bad = |why: &str| Err(PublishError::BadAddress(format!("`{address}` is no address of a platform: {why}")));
    let Ok(url) = reqwest::Url::parse(address) else { return bad("write it like https://erp.example.com") };
    if url.query().is_some() || url.fragment().is_some() {
        return bad("it has a query or a fragment; name the platform alone");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("a user and a password in it would be shown to others; use a token");
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(address) || !has_token => {}
        "http" => return bad("a token is only sent over https"),
        _ => return bad("it must begin with https://"),
    }
    Ok(address.trim_end_matches('/').to_owned())
}

/// The scheme, host and port that a token belongs to; none if the address is not a URL with a host.
pub fn origin(address: &str) -> Option<String> {
    let url = reqwest::Url::parse(address).ok()?;
    let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}", url.scheme(), url.host_str()?.to_ascii_lowercase()))
}

pub(super) fn is_loopback(address: &str) -> bool {
    let url = reqwest::Url::parse(address).ok();
    // Only an IP address counts, not a name that looks like one: `127.evil.example` belongs to someone else.
    url.as_ref().and_then(reqwest::Url::host_str).is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::checked_address;

    #[test]
    fn tokens_only_go_where_they_are_safe() {
        assert!(
            checked_address("https://erp.example.com/", true).is_ok_and(|address| address == "https://erp.example.com")
        );
        assert!(checked_address("http://127.0.0.1:7171", true).is_ok());
        assert!(checked_address("http://erp.example.com", false).is_ok());
        for bad in [
            "https://erp.example.com/?x=1",
            "https://erp.example.com/#x",
            "http://127.evil.example",
            "http://erp.example.com",
            "https://user:secret@erp.example.com",
            "ftp://x",
            "erp.example.com",
            "file:///etc/passwd",
        ] {
            assert!(checked_address(bad, true).is_err(), "{bad}");
        }
    }
}
