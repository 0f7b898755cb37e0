//! The routes of `/_dev`, which the dev host itself answers.

use std::path::Path;
use std::sync::PoisonError;

use axum::body::Body as HttpBody;
use axum::http::{StatusCode, header};
use axum::response::Response as HttpResponse;
use erp_files::FileAccess;
use erp_manifest::codes::errors;
use erp_manifest::{EventType, PermissionGrant};
use erp_platform::http_api::{HostOperation, Operation, find};
use erp_platform::{Platform, PlatformError, Request, Response, media_type};
use erp_runtime::Detail;
use serde_json::{Map, Value, json};

use super::host::AnsweringHost;
use super::http::{http_response, secured};
use super::projects::{Projects, no_generation};
use super::shared::Shared;

/// The most calls in a list.
const MAX_CALLS: usize = 200;
/// The content security policy of a plugin's page in a frame: it may draw, and exchange messages with the page around
/// it.
const FRAME_POLICY: &str = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'self'; \
                            style-src 'unsafe-inline' 'self'; img-src data: 'self'; font-src 'self'";

/// `/_frame/{ticket}/{path}`: a file of a plugin for a frame.
pub(super) fn frame(shared: &Shared, method: &str, path: &str) -> HttpResponse {
    let place = path.strip_prefix("/_frame/").and_then(|rest| rest.split_once('/'));
    let found = place.filter(|_| method == "GET").and_then(|(ticket, file)| {
        let plugin = shared.frames.plugin(ticket)?;
        let bytes = shared.platform().model_routes().shown_file(&plugin, file)?;
        Some((bytes, media_type(file)))
    });
    let Some((bytes, kind)) = found else {
        let message = "this address of a frame is not known; open the page again";
        return http_response(Response::json(404, json!({ "code": errors::HTTP_NO_ROUTE, "message": message })));
    };
    let mut response = http_response(Response::bytes(200, kind.to_owned(), bytes));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, header::HeaderValue::from_static(FRAME_POLICY));
    response
}

type Answer = Result<Response, PlatformError>;

/// Answers a request for a route of the dev host.
pub(super) fn answer(host: &AnsweringHost, request: &Request) -> Response {
    route(host, request).unwrap_or_else(|error| refusal(&error))
}

pub(super) fn refusal(error: &PlatformError) -> Response {
    Response::json(error.status(), error.to_json())
}

fn bad(message: impl Into<String>) -> PlatformError {
    PlatformError::new(errors::HTTP_BAD_QUERY, message)
}

fn number(text: &str) -> Result<u64, PlatformError> {
    text.parse().map_err(|_| bad(format!("`{text}` is no number")))
}

fn route(host: &AnsweringHost, request: &Request) -> Answer {
    use HostOperation as Op;
    let shared = &host.shared;
    let found = find(&request.method, &request.path).ok_or_else(|| request.no_route())?;
    let Operation::DevHost(operation) = found.route.operation else { return Err(request.no_route()) };
    request.admit(found.route)?;
    let of = |name: &str| found.value(name);
    // The projects, if they include the plugin of the path.
    let projects = || {
        let projects = host.projects.as_ref().filter(|projects| projects.place(of("plugin")).is_some());
        projects.ok_or_else(|| request.no_route())
    };
    match operation {
        // Its response never ends; `http.rs` sends it.
        Op::Stream => Err(request.no_route()),
        Op::ListCalls => Ok(calls(shared, request)),
        Op::ShowCall => call(shared, number(of("number"))?),
        Op::ReplayCall => replay(host, number(of("number"))?, &request.object_or_empty()?),
        Op::ListWriters => Ok(Response::json(200, json!(shared.book().writers(of("entity"), of("row"))))),
        Op::MakeScenario => scenario(host, &request.object_or_empty()?),
        Op::ShowSource => source(host, request),
        Op::ListTokens => Ok(Response::json(200, json!(shared.state().tokens))),
        Op::ChangeUser => put_user(shared, of("name"), &request.object_or_empty()?),
        Op::CreateTenant => create_tenant(shared, &request.object_or_empty()?),
        Op::RemoveTenant => remove_tenant(shared, of("tenant")),
        Op::OpenFrame => open_frame(shared, &request.object_or_empty()?),
        Op::ListProjects => {
            Ok(Response::json(200, host.projects.as_ref().map_or_else(|| json!([]), |projects| projects.to_json())))
        }
        Op::BuildProject => {
            projects()?.want_build(of("plugin"));
            Ok(Response::empty(202))
        }
        Op::AcceptLoss => {
            projects()?.accept_loss(shared, of("plugin"))?;
            Ok(Response::json(200, projects()?.to_json()))
        }
        Op::ActivateGeneration => {
            projects()?.activate(shared, of("plugin"), number(of("generation"))?)?;
            Ok(Response::json(200, projects()?.to_json()))
        }
        Op::SetCanary => {
            set_canary(shared, projects()?, of("plugin"), number(of("generation"))?, &request.object_or_empty()?)
        }
        Op::TestProject => test(shared, projects()?, of("plugin")),
    }
}

/// Body `{"plugin"}`: creates an address for the files of the plugin's pages that needs no token.
fn open_frame(shared: &Shared, body: &Map<String, Value>) -> Answer {
    let plugin = body.get("plugin").and_then(Value::as_str).ok_or_else(|| bad("the body is {\"plugin\": \"…\"}"))?;
    let ticket = shared.frames.open(plugin);
    let ticket = ticket.ok_or_else(|| PlatformError::new(errors::HOST_BUG, "the system gave no random bytes"))?;
    Ok(Response::json(201, json!({ "base": format!("/_frame/{ticket}/") })))
}

/// Body `{"percent"}`: sets the share of requests that a generation answers.
fn set_canary(
    shared: &Shared,
    projects: &Projects,
    plugin: &str,
    generation: u64,
    body: &Map<String, Value>,
) -> Answer {
    let percent = body.get("percent").and_then(Value::as_u64).filter(|share| *share <= 100);
    let percent = percent.and_then(|share| u8::try_from(share).ok());
    let percent = percent.ok_or_else(|| bad("the body is {\"percent\": 0 to 100}"))?;
    let found = projects.generation(plugin, generation).ok_or_else(|| no_generation(plugin, generation))?;
    shared.platform().set_canary(&found.version.loaded, percent)?;
    shared.journal.append("reload", &json!({ "project": plugin, "canary": generation, "percent": percent }));
    Ok(Response::json(200, json!({ "generation": generation, "percent": percent })))
}

/// `?plugin=&tenant=&request_id=&kind=&failed=true`: recent calls and requests, newest first.
fn calls(shared: &Shared, request: &Request) -> Response {
    let is = |shown: &Value, key: &str| {
        request.query(key).is_none_or(|wanted| wanted.is_empty() || shown[key].as_str() == Some(wanted))
    };
    let failed = request.query("failed") == Some("true");
    let kind = request.query("kind").filter(|kind| !kind.is_empty());
    let wanted = |shown: &Value| {
        is(shown, "plugin")
            && is(shown, "tenant")
            && is(shown, "request_id")
            && kind.is_none_or(|kind| shown["kind"] == kind)
            && (!failed || !shown["error"].is_null())
    };
    Response::json(200, json!({ "items": shared.book().list(wanted, MAX_CALLS) }))
}

fn no_call(id: u64) -> PlatformError {
    PlatformError::new(errors::DEV_NO_CALL, format!("call {id} is not kept any more"))
}

fn call(shared: &Shared, id: u64) -> Answer {
    shared.book().get(id).map(|shown| Response::json(200, shown)).ok_or_else(|| no_call(id))
}

/// Replays a call with the recorded answers of the host, on the serving version or on another generation.
fn replay(host: &AnsweringHost, id: u64, body: &Map<String, Value>) -> Answer {
    let shared = &host.shared;
    let recorded = shared.book().recorded(id).ok_or_else(|| no_call(id))?;
    let plugin = recorded.plugin.clone();
    let wanted = body.get("generation").and_then(Value::as_u64);
    let loaded = match (&host.projects, wanted) {
        (Some(projects), Some(generation)) => {
            let found = projects.generation(&plugin, generation).ok_or_else(|| no_generation(&plugin, generation))?;
            Some(found.version.loaded)
        }
        _ => shared.platform().loaded_plugin(&plugin),
    };
    let loaded = loaded.ok_or_else(|| {
        PlatformError::new(errors::PLUGIN_INVALID_STATE, format!("the plugin `{plugin}` is not running"))
    })?;
    let runtime = shared.platform().runtime();
    let replayed = runtime
        .replay(&loaded, &recorded, Detail::Source)
        .map_err(|error| PlatformError::new(errors::DEV_REPLAY, format!("it cannot be replayed: {error}")))?;
    let body = json!({
        "differences": replayed.differences, "fuel_before": recorded.fuel, "fuel": replayed.fuel, "frames": replayed.frames,
    });
    Ok(Response::json(200, body))
}

/// Body `{"calls": [id, …], "name", "write": true}`: makes a scenario that repeats calls. A request means all its
/// calls.
fn scenario(host: &AnsweringHost, body: &Map<String, Value>) -> Answer {
    let ids = body.get("calls").and_then(Value::as_array).and_then(|ids| ids.iter().map(Value::as_u64).collect());
    let ids: Vec<u64> = ids.ok_or_else(|| bad("the body is {\"calls\": [id, …], \"name\": \"…\"}"))?;
    let name = body.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()).unwrap_or("recorded");
    let calls = {
        let book = host.shared.book();
        let mut calls = Vec::new();
        for id in ids {
            let shown = book.get(id).ok_or_else(|| no_call(id))?;
            if shown["kind"] == "request" {
                let request_id = shown["request_id"].as_str().unwrap_or_default();
                calls.extend(book.recorded_of_request(request_id));
            } else {
                calls.extend(book.recorded(id));
            }
        }
        calls
    };
    let plugin = calls.first().map(|call| call.plugin.clone());
    let plugin = plugin.ok_or_else(|| {
        let message = "no plugin was called there: a scenario is made from calls of a plugin";
        PlatformError::new(errors::DEV_NO_CALLS, message)
    })?;
    let projects = host.projects.as_ref().filter(|projects| projects.place(&plugin).is_some());
    let projects = projects.ok_or_else(|| {
        let message = format!("`{plugin}` comes from a package: its scenarios are elsewhere");
        PlatformError::new(errors::DEV_NO_PROJECT, message)
    })?;
    let manifest = host.shared.platform().manifest(&plugin);
    let manifest = manifest.ok_or_else(|| bad(format!("there is no plugin `{plugin}`")))?;
    let text = projects.workshop.scenario(&manifest, name, &calls);
    let mut shown = json!({ "text": text, "file": Value::Null });
    if body.get("write").and_then(Value::as_bool).unwrap_or(false)
        && let Some(place) = projects.place(&plugin)
    {
        let file = free_file(&place.root.join("tests"), name);
        let written = erp_files::write(&file, text.as_bytes(), FileAccess::Shared);
        written.map_err(|error| PlatformError::new(errors::HOST_BUG, error.to_string()))?;
        shown["file"] = json!(file.strip_prefix(&place.root).unwrap_or(&file).display().to_string());
    }
    Ok(Response::json(201, shown))
}

/// The path of a scenario file that does not exist yet.
fn free_file(folder: &Path, name: &str) -> std::path::PathBuf {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let plain = plain.trim_matches('_').chars().take(40).collect::<String>();
    let plain = if plain.is_empty() { "recorded".to_owned() } else { plain };
    let numbered = (2..).map(|number| folder.join(format!("{plain}_{number}.test.toml")));
    let mut files = std::iter::once(folder.join(format!("{plain}.test.toml"))).chain(numbered);
    files.find(|file| !file.exists()).unwrap_or_else(|| folder.join("recorded.test.toml"))
}

/// `?plugin=&file=src/lib.rs&line=12`: the lines of a project's source around `line`.
fn source(host: &AnsweringHost, request: &Request) -> Answer {
    const AROUND: usize = 4;
    let plugin = request.query("plugin").unwrap_or_default();
    let place = host.projects.as_ref().and_then(|projects| projects.place(plugin));
    let place = place.ok_or_else(|| bad(format!("`{plugin}` is no project that is followed")))?;
    let wanted = Path::new(request.query("file").unwrap_or_default());
    let line = usize::try_from(number(request.query("line").unwrap_or("1"))?).unwrap_or(1);
    let wanted = wanted.strip_prefix(&place.root).unwrap_or(wanted);
    // Only `src` is served: keys and tokens may lie beside it.
    let is_inside =
        wanted.starts_with("src") && wanted.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let file = place.root.join(wanted);
    // A link could lead out of the project.
    let is_inside = is_inside
        && fs_err::canonicalize(&file)
            .is_ok_and(|real| fs_err::canonicalize(&place.root).is_ok_and(|root| real.starts_with(root)));
    let text = if is_inside { fs_err::read_to_string(&file).ok() } else { None };
    let text = text.ok_or_else(|| PlatformError::new(errors::HTTP_NO_ROUTE, "there is no such file in the project"))?;
    let first = line.saturating_sub(AROUND).max(1);
    let lines: Vec<Value> = text
        .lines()
        .enumerate()
        .skip(first - 1)
        .take(2 * AROUND + 1)
        .map(|(index, text)| json!({ "number": index + 1, "text": text, "is_it": index + 1 == line }))
        .collect();
    Ok(Response::json(200, json!({ "file": wanted.display().to_string(), "lines": lines })))
}

/// Body `{"tenant"}`: creates a tenant with the user `admin@<tenant>`, who has all permissions.
fn create_tenant(shared: &Shared, body: &Map<String, Value>) -> Answer {
    let name = body.get("tenant").and_then(Value::as_str).ok_or_else(|| bad("the body needs `tenant`, a name"))?;
    let token = {
        let mut state = shared.state();
        if state.tokens.iter().any(|token| token.tenant == name) {
            return Err(PlatformError::new(errors::TENANT_TAKEN, format!("there is a tenant `{name}` already")));
        }
        let user = format!("admin@{name}");
        let all = Some(vec![PermissionGrant::ALL]);
        state.put_user(&user, Some(name.to_owned()), all, None).map_err(|error| bad(error.to_string()))?
    };
    shared.with_platform(|platform| follow_directory(shared, platform))?;
    Ok(Response::json(201, json!(token)))
}

fn remove_tenant(shared: &Shared, name: &str) -> Answer {
    let was_there = shared.state().remove_tenant(name).map_err(|error| bad(error.to_string()))?;
    if !was_there {
        return Err(PlatformError::new(errors::TENANT_UNKNOWN, format!("there is no tenant `{name}`")));
    }
    shared.with_platform(|platform| follow_directory(shared, platform))?;
    Ok(Response::empty(204))
}

/// Applies the users of the state folder. They are read while the platform is locked, so that the later of two changes
/// wins everywhere.
fn follow_directory(shared: &Shared, platform: &mut Platform) -> Result<(), PlatformError> {
    let directory = shared.state().directory();
    *shared.directory.write().unwrap_or_else(PoisonError::into_inner) = directory.clone();
    platform.set_directory(directory)
}

/// Body `{"tenant", "permissions", "department"}`, each optional: creates a user, or changes what the user may do.
fn put_user(shared: &Shared, name: &str, body: &Map<String, Value>) -> Answer {
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let permissions: Option<Vec<PermissionGrant>> = match body.get("permissions") {
        None => None,
        Some(list) => {
            let list = list.as_array().ok_or_else(|| bad("`permissions` is an array of permissions"))?;
            let grant = |one: &Value| match one {
                Value::String(text) => text.parse().map_err(|why: String| bad(why)),
                other => Err(bad(format!("{other} is no permission: write a text such as `item.list`"))),
            };
            Some(list.iter().map(grant).collect::<Result<_, _>>()?)
        }
    };
    let (token, is_new) = {
        let mut state = shared.state();
        let is_new = state.tokens.iter().all(|token| token.user != name);
        let token = state
            .put_user(name, text("tenant"), permissions, text("department"))
            .map_err(|error| bad(error.to_string()))?;
        (token, is_new)
    };
    let payload = json!({ "user_id": token.id(), "name": token.user, "permissions": token.permissions });
    let tenant = token.tenant.clone();
    let tenant = erp_manifest::TenantId::new(tenant);
    shared.with_platform(|platform| {
        follow_directory(shared, platform)?;
        let event = EventType::of_platform(if is_new { "user.created" } else { "user.updated" });
        tenant.as_ref().map_or(Ok(()), |tenant| platform.events().announce(tenant, &event, &payload))
    })?;
    if let Some(tenant) = tenant {
        shared.deliver_now(tenant);
    }
    Ok(Response::json(if is_new { 201 } else { 200 }, json!(token)))
}

fn test(shared: &Shared, projects: &Projects, plugin: &str) -> Answer {
    let place = projects.place(plugin).ok_or_else(|| bad(format!("`{plugin}` is no project that is followed")))?;
    shared.journal.append("test", &json!({ "project": place.name, "state": "running" }));
    let result = projects.workshop.test(&place.manifest_file);
    let short = json!({
        "project": place.name, "state": "done", "ok": result["ok"], "passed": result["passed"], "failed": result["failed"],
    });
    shared.journal.append("test", &short);
    Ok(Response::json(200, result))
}

/// A response with a body that is not JSON.
pub(super) fn bytes(status: u16, kind: &'static str, body: impl Into<HttpBody>) -> HttpResponse {
    let mut response = HttpResponse::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    secured(response.headers_mut());
    response
}
