//! Outgoing HTTP requests.

use std::time::Duration;

use erp_manifest::codes::errors;
use erp_manifest::contract::HostFunction;
use erp_manifest::outgoing::{HttpRequest, HttpResponse, TransportBounds, TransportError, allowed};
use serde_json::json;

use super::super::error::ServiceError;
use super::super::lock;
use super::{Services, denied};

/// Headers that only the host sets.
const HOST_HEADERS: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "upgrade"];

impl Services {
    pub(super) fn send_http(
        &mut self,
        request: &HttpRequest,
        timeout_ms: Option<u32>,
    ) -> Result<HttpResponse, ServiceError> {
        let subject = format!("{} {}", request.method, request.url);
        let arguments = || {
            let body = request.body.as_deref().map(String::from_utf8_lossy);
            json!({ "method": request.method, "url": request.url, "body": body })
        };
        self.call(HostFunction::HttpSend, &subject, arguments, |services| {
            let capabilities = &services.manifest.capabilities;
            let patterns = || capabilities.http.iter().map(|pattern| pattern.as_str());
            let network = allowed(patterns(), &request.url).map_err(denied)?;
            let refused = capabilities.deny.http.iter().map(|pattern| pattern.as_str());
            if allowed(refused, &request.url).is_ok() {
                return Err(denied(format!("`{}` is denied by [capabilities.deny]", request.url)));
            }
            let bad = |message: String| ServiceError::new(errors::HTTP_BAD_REQUEST, message);
            let is_token = |text: &str| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            };
            if !is_token(&request.method) {
                return Err(bad(format!("`{}` is no method", request.method)));
            }
            for (name, value) in &request.headers {
                let is_own = HOST_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
                if is_own || !is_token(name) || value.contains(['\r', '\n', '\0']) {
                    return Err(bad(format!("the header `{name}` cannot be sent like this")));
                }
            }
            services.usage.take_http_request()?;
            let transport = lock(&services.surroundings).transport();
            let transport = transport.ok_or_else(|| {
                ServiceError::new(
                    errors::HTTP_NO_NETWORK,
                    "nothing here sends requests: give responses in `[[world.http]]`",
                )
            })?;
            let asked = timeout_ms.map_or(Duration::MAX, |milliseconds| Duration::from_millis(milliseconds.into()));
            let timeout = asked.min(services.time_left());
            let interrupt = services.clock.interrupt.clone();
            let is_interrupted = || interrupt.is_set();
            let bounds = TransportBounds {
                timeout,
                most_bytes: services.usage.limits.result_bytes(),
                is_interrupted: &is_interrupted,
            };
            transport.send(request, network, bounds).map_err(|error| match error {
                TransportError::Refused(message) => denied(message),
                TransportError::Unknown(message) => ServiceError::new(errors::HTTP_NO_RESPONSE, message),
                TransportError::Failed(message) => ServiceError::new(errors::HTTP_FAILED, message),
            })
        })
    }
}
