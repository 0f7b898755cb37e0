//! The console's files, which are embedded in the binary: nothing is fetched from elsewhere.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use axum::response::Response as HttpResponse;
use bytes::Bytes;
use erp_manifest::digest::sha256_hex;
use erp_platform::media_type;
use flate2::Compression;
use flate2::write::GzEncoder;
use include_dir::{Dir, include_dir};

use super::http::text;
use super::routes;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/erp-plugin/dev_host/console");
/// Size in bytes up to which a file is sent uncompressed.
const WORTH_PACKING: usize = 512;

/// A file of the console.
struct Asset {
    kind: &'static str,
    plain: Bytes,
    /// The content as gzip; none if the file is too small, or if gzip does not make it smaller.
    packed: Option<Bytes>,
    etag: String,
}

/// The files by their paths, compressed once.
static ASSETS: LazyLock<BTreeMap<String, Asset>> = LazyLock::new(|| {
    let mut assets = BTreeMap::new();
    let mut folders = vec![&FILES];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            let plain = Bytes::from_static(file.contents());
            let mut packer = GzEncoder::new(Vec::new(), Compression::best());
            let packed = packer.write_all(&plain).and_then(|()| packer.finish()).ok().map(Bytes::from);
            let packed = packed.filter(|packed| plain.len() > WORTH_PACKING && packed.len() < plain.len());
            let etag = format!("\"{}\"", &sha256_hex(&plain)[..16]);
            let path = file.path().to_string_lossy().replace('\\', "/");
            let kind = media_type(&path);
            assets.insert(path, Asset { kind, plain, packed, etag });
        }
    }
    assets
});

/// Compresses the files before the first request.
pub(super) fn prepare() {
    LazyLock::force(&ASSETS);
}

/// The response with the console's file at a path; none for any other path. `/` is the console itself.
pub(super) fn asset(method: &str, path: &str, headers: &HeaderMap) -> Option<HttpResponse> {
    let name = match path {
        "/" => "index.html",
        path => path.strip_prefix("/console/")?,
    };
    let asset = ASSETS.get(name)?;
    if !matches!(method, "GET" | "HEAD") {
        return Some(routes::bytes(405, "text/plain; charset=utf-8", "only GET"));
    }
    let is_known = text(headers, header::IF_NONE_MATCH.as_str()).is_some_and(|known| known == asset.etag);
    let takes_gzip =
        text(headers, header::ACCEPT_ENCODING.as_str()).is_some_and(|encodings| encodings.contains("gzip"));
    let packed = asset.packed.as_ref().filter(|_| takes_gzip);
    let mut response = if is_known {
        routes::bytes(304, asset.kind, Bytes::new())
    } else {
        routes::bytes(200, asset.kind, packed.unwrap_or(&asset.plain).clone())
    };
    let headers = response.headers_mut();
    // Browsers revalidate each time, so that another version of the binary shows its own console.
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, header::HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = header::HeaderValue::from_str(&asset.etag) {
        headers.insert(header::ETAG, etag);
    }
    if packed.is_some() && !is_known {
        headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    Some(response)
}
