//! HTTP without a library: requests to a dev host, and a server that fails on purpose.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// Sends a request and reads the answer to its end; returns the status and the body, `null` if the body is not JSON.
pub fn request(
    url: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &[u8],
    headers: &[(&str, &str)],
) -> (u16, Value) {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(token) = token {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// What a fault server does with one request.
#[derive(Clone)]
pub enum Answer {
    /// A status with headers and a body.
    Status(u16, &'static str, String),
    /// The connection ends before the answer.
    Hangup,
}

/// A server on a free port that gives the planned answers, one for each request.
pub struct FaultServer {
    pub url: String,
    /// `METHOD path` of each request, in order.
    pub requests: Arc<Mutex<Vec<String>>>,
    /// The head of each request, in order.
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl FaultServer {
    pub fn start(answers: Vec<Answer>) -> FaultServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, seen_heads) = (Arc::clone(&requests), Arc::clone(&heads));
        let mut answers = VecDeque::from(answers);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(answer) = answers.pop_front() else { break };
                serve(stream.unwrap(), &answer, &seen, &seen_heads);
            }
        });
        FaultServer { url, requests, heads }
    }
}

fn serve(mut stream: TcpStream, answer: &Answer, seen: &Mutex<Vec<String>>, heads: &Mutex<Vec<String>>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        let count = stream.read(&mut chunk).unwrap_or(0);
        bytes.extend(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some(end) = text.find("\r\n\r\n") else {
            if count == 0 {
                return;
            }
            continue;
        };
        let length = text[..end]
            .lines()
            .find_map(|line| {
                line.to_lowercase().strip_prefix("content-length:").map(|value| value.trim().parse::<usize>().unwrap())
            })
            .unwrap_or(0);
        let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        if bytes.len() >= head_end + length || count == 0 {
            let first = text.lines().next().unwrap_or_default().to_owned();
            heads.lock().unwrap().push(text[..end].to_owned());
            seen.lock().unwrap().push(first.trim_end_matches(" HTTP/1.1").to_owned());
            break;
        }
    }
    if let Answer::Status(status, headers, body) = answer {
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(body.as_bytes());
    }
}
