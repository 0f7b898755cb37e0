//! Requests, files and memories of unit tests.

use super::super::bindings::erp::plugin::types::Error;
use super::{refuse, with};

pub mod host_http {
    pub use super::super::super::bindings::erp::plugin::host_http::{Request, Response};
    use super::*;

    /// The answers that the test has put into `mock.responses`, in order.
    pub fn send(request: &Request) -> Result<Response, Error> {
        with(|mock| {
            mock.requests.push((request.method.clone(), request.url.clone(), request.body.clone().unwrap_or_default()));
            if mock.responses.is_empty() {
                return Err(refuse("http.no_response", format!("no answer is prepared for {}", request.url)));
            }
            let (status, body) = mock.responses.remove(0);
            Ok(Response { status, headers: Vec::new(), body: body.into_bytes() })
        })
    }
}

pub mod host_blob {
    pub use super::super::super::bindings::erp::plugin::host_blob::BlobInfo;
    use super::*;

    fn missing(id: &str) -> Error {
        refuse("blob.not_found", format!("there is no file `{id}`"))
    }

    pub fn put(name: &str, mime: &str, data: &[u8]) -> Result<BlobInfo, Error> {
        let is_name = !name.is_empty() && !name.contains(['/', '\\']) && !name.contains(char::is_control);
        if !is_name || !mime.contains('/') {
            let message = format!("a file has a name without slashes and a media type, not `{name}` and `{mime}`");
            return Err(refuse("blob.bad_name", message));
        }
        let id = with(|mock| {
            let id = mock.next_id();
            mock.blobs.insert(id.clone(), (name.to_owned(), mime.to_owned(), data.to_vec()));
            id
        });
        stat(&id)
    }

    pub fn get(id: &str, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        let (start, len) = (usize::try_from(offset).unwrap_or(usize::MAX), len as usize);
        let bytes = with(|mock| mock.blobs.get(id).map(|(_, _, bytes)| bytes.clone()));
        Ok(bytes.ok_or_else(|| missing(id))?.into_iter().skip(start).take(len).collect())
    }

    pub fn stat(id: &str) -> Result<BlobInfo, Error> {
        let known =
            with(|mock| mock.blobs.get(id).map(|(name, mime, bytes)| (name.clone(), mime.clone(), bytes.len())));
        let (name, mime, size) = known.ok_or_else(|| missing(id))?;
        Ok(BlobInfo { id: id.to_owned(), name, mime, size: size as u64, sha256: String::new() })
    }

    pub fn delete(id: &str) -> Result<(), Error> {
        with(|mock| mock.blobs.remove(id)).map(|_| ()).ok_or_else(|| missing(id))
    }
}

pub mod host_memory {
    use super::*;

    pub fn append(session: &str, item: &str) -> Result<(), Error> {
        with(|mock| mock.memories.entry(session.to_owned()).or_default().push(item.to_owned()));
        Ok(())
    }

    pub fn recent(session: &str, limit: u32) -> Result<Vec<String>, Error> {
        search(session, "", limit)
    }

    pub fn search(session: &str, text: &str, limit: u32) -> Result<Vec<String>, Error> {
        let all = with(|mock| mock.memories.get(session).cloned().unwrap_or_default());
        let found: Vec<String> = all.into_iter().filter(|item| item.contains(text)).collect();
        let skipped = found.len().saturating_sub(limit as usize);
        Ok(found.into_iter().skip(skipped).collect())
    }

    pub fn clear(session: &str) -> Result<(), Error> {
        with(|mock| mock.memories.remove(session));
        Ok(())
    }
}
