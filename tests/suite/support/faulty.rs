//! A platform behind a connection that fails on purpose.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use erp_manifest::{Moment, PermissionGrant, TenantId};
use erp_package::signing::SecretKey;
use erp_platform::{Body, Directory, Gate, Identity, Platform, Registrar, Request};
use erp_runtime::{Caller, Random, Runtime, Surroundings};
use erp_store::Database;
use serde_json::Value;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection breaks after so many 16ths of the request's body.
    CutRequest(u8),
    /// The request arrives complete, and is not processed.
    Unheard,
    /// The request is processed, and the answer is lost.
    LostAnswer,
    /// The request is processed, and half of the answer arrives.
    CutAnswer,
    /// A status, without processing the request.
    Status(u16),
    /// The status 503 with this `retry-after`, without processing the request.
    RetryAfter(&'static str),
    /// The request is processed, and the answer arrives in small pieces.
    Slow,
    /// The request is processed, and the answer contains the digest of another file.
    WrongDigest,
    /// The sign-in page of a captive portal.
    Portal,
    /// The request is processed, and half of an answer without a length arrives.
    CutOpenAnswer,
}

/// The product's own random numbers, which also choose faults.
pub struct Numbers(Random);

impl Numbers {
    pub fn new(seed: u64) -> Numbers {
        Numbers(Random::new(seed))
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.bits() % bound
    }

    pub fn fault(&mut self) -> Fault {
        match self.below(16) {
            0 | 1 => Fault::CutRequest(self.below(16) as u8),
            2 => Fault::Unheard,
            3 | 4 => Fault::LostAnswer,
            5 => Fault::CutAnswer,
            6 => Fault::Status([408, 425, 429, 500, 502, 503, 504][self.below(7) as usize]),
            7 => Fault::RetryAfter(
                ["0", "1", "-5", "99999999", "soon", "Sun, 06 Nov 1994 08:49:37 GMT"][self.below(6) as usize],
            ),
            8 => Fault::Slow,
            9 => Fault::WrongDigest,
            10 => Fault::Portal,
            11 => Fault::CutOpenAnswer,
            _ => Fault::None,
        }
    }
}

/// A platform in memory, and a server in front of it that ends when this is dropped.
pub struct FaultyPlatform {
    pub url: String,
    pub platform: Arc<Mutex<Platform>>,
    faults: Arc<Mutex<Vec<Fault>>>,
    stop: Arc<AtomicBool>,
}

impl FaultyPlatform {
    /// Starts a new platform. Its requests get these faults in order, and later requests get none.
    pub fn start(runtime: &Arc<Runtime>, mut faults: Vec<Fault>) -> FaultyPlatform {
        let tenant = TenantId::new("acme").unwrap();
        let mut directory = Directory::default();
        directory.add_tenant(tenant.clone());
        let caller = Caller { id: "u1".to_owned(), permissions: vec![PermissionGrant::ALL], ..Caller::default() };
        directory.add_user("tok_secret", Identity { tenant, caller });
        let now = Moment::parse("2026-04-15T08:00:00Z").unwrap();
        let database = Database::in_memory().unwrap();
        let mut platform = Platform::new(Arc::clone(runtime), database, Surroundings::fixed(now, 1), directory);
        let registrar = Registrar { name: "faulty".to_owned(), key: SecretKey::generate().unwrap() };
        platform.set_gate(Gate { registrar: Some(registrar), ..Gate::default() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        faults.reverse();
        let served = FaultyPlatform {
            url,
            platform: Arc::new(Mutex::new(platform)),
            faults: Arc::new(Mutex::new(faults)),
            stop: Arc::new(AtomicBool::new(false)),
        };
        let (platform, faults, stop) =
            (Arc::clone(&served.platform), Arc::clone(&served.faults), Arc::clone(&served.stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let fault = faults.lock().unwrap().pop().unwrap_or(Fault::None);
                serve(stream.unwrap(), fault, &platform);
            }
        });
        served
    }

    /// Removes the faults that are left.
    pub fn mend(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// Returns the digest of a stored version, without using the connection.
    pub fn stored(&self, id: &str, version: &str) -> Option<String> {
        self.platform.lock().unwrap().lifecycle().receipt(id, version).ok().map(|receipt| receipt.sha256)
    }
}

impl Drop for FaultyPlatform {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener, so that its thread ends.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

fn serve(mut stream: TcpStream, fault: Fault, platform: &Mutex<Platform>) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    let (head_end, length) = loop {
        let count = stream.read(&mut chunk).unwrap_or(0);
        if count == 0 {
            return;
        }
        bytes.extend(&chunk[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            break (end + 4, length.unwrap_or(0_usize));
        }
    };
    let whole = head_end + length;
    let wanted = match fault {
        Fault::CutRequest(part) => head_end + length * usize::from(part) / 16,
        _ => whole,
    };
    while bytes.len() < wanted {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => bytes.extend(&chunk[..count]),
        }
    }
    if matches!(fault, Fault::CutRequest(_) | Fault::Unheard) {
        return;
    }
    let plain = |status: u16, headers: &str, body: &str| {
        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
    };
    let answer = match fault {
        Fault::Status(status) => plain(status, "", "{}"),
        Fault::RetryAfter(when) => plain(503, &format!("retry-after: {when}\r\n"), "{}"),
        Fault::Portal => plain(200, "content-type: text/html\r\n", "<html>please sign in</html>"),
        _ => {
            let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
            let mut words = head.split(' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let mut request = Request::new(method, path);
            request.body = bytes[head_end..whole].to_vec();
            request.has_token = true;
            let mut platform = platform.lock().unwrap();
            request.identity = platform.directory().user("tok_secret").cloned();
            let response = platform.handle(&request);
            let Body::Json(mut body) = response.body else { panic!("the platform answers JSON") };
            if fault == Fault::WrongDigest && body.get("sha256").is_some() {
                body["sha256"] = Value::from("0".repeat(64));
            }
            if fault == Fault::CutOpenAnswer {
                let body = body.to_string();
                let half = body.chars().take(body.chars().count() / 2).collect::<String>();
                format!("HTTP/1.1 {} X\r\nconnection: close\r\n\r\n{half}", response.status)
            } else {
                plain(response.status, "", &body.to_string())
            }
        }
    };
    let answer = answer.as_bytes();
    match fault {
        Fault::LostAnswer => {}
        Fault::CutAnswer => drop(stream.write_all(&answer[..answer.len() / 2])),
        Fault::Slow => {
            for piece in answer.chunks(answer.len() / 4 + 1) {
                let _ = stream.write_all(piece).and_then(|()| stream.flush());
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        _ => drop(stream.write_all(answer)),
    }
    let _ = stream.shutdown(Shutdown::Write);
}
