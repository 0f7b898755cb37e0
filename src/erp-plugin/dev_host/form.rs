//! Uploads as multipart forms, as the platform's own script sends them: a package, or a component, its manifest and the
//! files that the manifest names.

use std::convert::Infallible;

use bytes::Bytes;
use erp_manifest::codes::errors;
use erp_platform::{PlatformError, package_of_parts};
use futures_util::stream;
use multer::Multipart;

/// The boundary of a multipart form; none for another content type, or without a boundary.
pub(super) fn boundary(content_type: Option<&str>) -> Option<String> {
    multer::parse_boundary(content_type?).ok()
}

/// Whether the content type is that of a multipart form, with or without a boundary.
pub(super) fn is_form(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"))
}

/// Returns the package of a form: the part `package`, or one built from `wasm` (or `component`), `manifest` and parts
/// named by the paths of files.
pub(super) async fn package(boundary: String, body: Vec<u8>) -> Result<Vec<u8>, PlatformError> {
    let bad = |message: String| PlatformError::new(errors::HTTP_BAD_FORM, message);
    let body = stream::once(async { Ok::<_, Infallible>(Bytes::from(body)) });
    let mut form = Multipart::new(body, boundary);
    let (mut package, mut component, mut manifest) = (None, None, None);
    let mut files = Vec::new();
    loop {
        let field = form.next_field().await.map_err(|error| bad(format!("the form cannot be read: {error}")))?;
        let Some(field) = field else { break };
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|error| bad(format!("`{name}` cannot be read: {error}")))?;
        match name.as_str() {
            "package" => package = Some(bytes.to_vec()),
            "wasm" | "component" => component = Some(bytes.to_vec()),
            "manifest" => manifest = Some(bytes.to_vec()),
            path if path.contains('.') => files.push((name, bytes.to_vec())),
            other => {
                let parts = "`package`, or `wasm`, `manifest` and files by their paths, such as `pages/map.html`";
                return Err(bad(format!("there is no part `{other}`: send {parts}")));
            }
        }
    }
    match (package, component, manifest) {
        (Some(package), None, None) if files.is_empty() => Ok(package),
        (None, Some(component), Some(manifest)) => {
            let manifest = String::from_utf8(manifest).map_err(|_| bad("the manifest is not UTF-8".to_owned()))?;
            package_of_parts(component, &manifest, files)
        }
        _ => Err(bad("send the part `package`, or the two parts `wasm` and `manifest`".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_form_has_a_package_or_its_two_parts() {
        let form = |parts: &[(&str, &str)]| {
            let one = |(name, text): &(&str, &str)| {
                format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
            };
            parts.iter().map(one).collect::<String>() + "--x--\r\n"
        };
        assert_eq!(boundary(Some("multipart/form-data; boundary=x")).as_deref(), Some("x"));
        assert_eq!(boundary(Some("application/zip")), None);
        let package = |parts: &[(&str, &str)]| package("x".to_owned(), form(parts).into_bytes());
        assert_eq!(package(&[("package", "PK")]).await.unwrap(), b"PK");
        let with_page = [("package", "PK"), ("pages/a.html", "x")];
        for bad in [&[("other", "x")][..], &with_page, &[("wasm", "x")], &[("package", "x"), ("wasm", "y")], &[]] {
            assert_eq!(package(bad).await.unwrap_err().code.to_string(), "http.bad_form", "{bad:?}");
        }
        assert!(package(&[("wasm", "x"), ("manifest", "a =")]).await.is_err());
    }
}
