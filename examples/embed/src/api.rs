//! The platform's HTTP API: its own routes, and the rows of plugins.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Json, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use erp_manifest::Moment;
use erp_storage::{Attempt, ListQuery, Scope, Storage, StoreError};
use erp_store::UnitOfWork;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::bus::{BusEvent, EventBus};
use crate::engine::{PluginEngine, PluginError};
use crate::users::{User, Users};

struct Platform<S> {
    engine: PluginEngine<S>,
    bus: EventBus,
}

/// Returns the router with all routes.
pub fn router<S: Storage<Unit = UnitOfWork> + 'static>(engine: PluginEngine<S>, bus: EventBus) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/plugins", get(plugins::<S>))
        .route("/plugins/{plugin}", delete(unload::<S>))
        .route("/plugins/{plugin}/disable", post(disable::<S>))
        .route("/plugins/{plugin}/{entity}", get(list::<S>).post(insert::<S>))
        .route("/plugins/{plugin}/actions/{action}", post(invoke::<S>))
        .route("/events", post(publish::<S>))
        .route("/events/{plugin}", post(deliver::<S>))
        .with_state(Arc::new(Platform { engine, bus }))
}

type Shared<S> = State<Arc<Platform<S>>>;

async fn plugins<S: Storage + 'static>(State(platform): Shared<S>) -> Response {
    let ids = platform.engine.ids();
    let health: Vec<Value> = ids.iter().filter_map(|id| platform.engine.health_check(id).ok()).collect();
    Json(health).into_response()
}

async fn disable<S: Storage + 'static>(State(platform): Shared<S>, Path(plugin): Path<String>) -> StatusCode {
    platform.engine.disable(&plugin);
    StatusCode::NO_CONTENT
}

async fn unload<S: Storage + 'static>(State(platform): Shared<S>, Path(plugin): Path<String>) -> StatusCode {
    platform.engine.unload(&plugin);
    StatusCode::NO_CONTENT
}

/// Lists the first hundred rows of an entity.
async fn list<S: Storage<Unit = UnitOfWork> + 'static>(
    State(platform): Shared<S>,
    headers: HeaderMap,
    Path((plugin, entity)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let user = user(&headers)?;
    rows(platform, user, move |unit, scope| {
        let entity = unit.catalog().by_qualified_name(&format!("{plugin}.{entity}"));
        let entity = entity.ok_or_else(|| StoreError::UnknownEntity(plugin.clone()))?;
        let query = ListQuery { limit: Some(100), with_total: true, ..ListQuery::default() };
        let page = unit.reader().list(&entity, scope, &query)?;
        Ok(json!({ "total": page.total, "rows": page.rows }))
    })
    .await
}

/// Inserts a row.
async fn insert<S: Storage<Unit = UnitOfWork> + 'static>(
    State(platform): Shared<S>,
    headers: HeaderMap,
    Path((plugin, entity)): Path<(String, String)>,
    Json(row): Json<Map<String, Value>>,
) -> Result<Response, Refusal> {
    let user = user(&headers)?;
    rows(platform, user, move |unit, scope| {
        let entity = unit.catalog().by_qualified_name(&format!("{plugin}.{entity}"));
        let entity = entity.ok_or_else(|| StoreError::UnknownEntity(plugin.clone()))?;
        Ok(json!(unit.writer().insert(&entity, scope, &row, &mut || Uuid::now_v7().to_string())?))
    })
    .await
}

/// Runs work on rows without a plugin: one unit of work, on a thread where blocking is allowed.
async fn rows<S: Storage<Unit = UnitOfWork> + 'static>(
    platform: Arc<Platform<S>>,
    user: User,
    work: impl FnOnce(&mut UnitOfWork, &Scope) -> Result<Value, StoreError> + Send + 'static,
) -> Result<Response, Refusal> {
    let done = tokio::task::spawn_blocking(move || {
        let scope = Scope::of_tenant(&user.tenant, Moment::of_system_clock()).by(&user.caller.id);
        let mut unit = platform.engine.storage().begin(Attempt::first(&user.tenant))?;
        let given = work(&mut unit, &scope)?;
        unit.commit()?;
        Ok::<Value, StoreError>(given)
    });
    let done = done.await.map_err(|error| Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(done?).into_response())
}

/// Runs an action of a plugin, as a button on its page does.
async fn invoke<S: Storage + 'static>(
    State(platform): Shared<S>,
    headers: HeaderMap,
    Path((plugin, action)): Path<(String, String)>,
    Json(input): Json<Value>,
) -> Result<Response, Refusal> {
    let user = user(&headers)?;
    Ok(Json(platform.engine.invoke(&plugin, &user, action, input).await?).into_response())
}

/// Publishes an event of a base module to all subscribers; answers before they have handled it.
async fn publish<S: Storage + 'static>(
    State(platform): Shared<S>,
    headers: HeaderMap,
    Json(event): Json<Value>,
) -> Result<StatusCode, Refusal> {
    platform.bus.publish(event_of(&user(&headers)?, &event));
    Ok(StatusCode::ACCEPTED)
}

/// Delivers an event to one plugin; answers once the changes of its call are committed.
async fn deliver<S: Storage + 'static>(
    State(platform): Shared<S>,
    headers: HeaderMap,
    Path(plugin): Path<String>,
    Json(event): Json<Value>,
) -> Result<StatusCode, Refusal> {
    platform.engine.handle_event(&plugin, &event_of(&user(&headers)?, &event)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn event_of(user: &User, event: &Value) -> BusEvent {
    BusEvent {
        id: Uuid::now_v7().to_string(),
        tenant: user.tenant.clone(),
        event_type: event["type"].as_str().unwrap_or_default().to_owned(),
        payload: event["payload"].clone(),
        source: None,
        depth: 0,
    }
}

fn user(headers: &HeaderMap) -> Result<User, Refusal> {
    let header = headers.get("authorization").and_then(|header| header.to_str().ok());
    Users::of_header(header).ok_or_else(|| Refusal(StatusCode::UNAUTHORIZED, "log in first".to_owned()))
}

/// The status and the text of an error, as a client receives them.
struct Refusal(StatusCode, String);

impl From<PluginError> for Refusal {
    fn from(error: PluginError) -> Refusal {
        let status = match &error {
            PluginError::NotFound(_) => StatusCode::NOT_FOUND,
            PluginError::Call(error) => StatusCode::from_u16(error.code().status()).unwrap_or(StatusCode::BAD_GATEWAY),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal(status, error.to_string())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        let status = StatusCode::from_u16(error.code().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Refusal(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}
