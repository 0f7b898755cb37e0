//! The HTTP API as a function from request to response. [`http_api`](crate::http_api) declares the routes.

mod admin;
mod base;
mod dev;
mod export;
mod form;
mod import;
mod models;
mod nodes;
mod request;
mod rows;

pub use models::{ModelRoutes, media_type};
pub use request::{Body, Request, Response, RowPage};

use serde_json::{Value, json};

pub(crate) use self::admin::PluginRoutes;
pub(crate) use self::base::DirectoryRoutes;
use self::base::user_json;
pub(crate) use self::dev::DevRoutes;
use self::dev::base_events;
pub(crate) use self::nodes::NodeRoutes;
use self::nodes::NodeVerb;
use super::pages::permission_of;
use super::state::in_error;
use super::{Origin, Platform, PlatformError};
use crate::http_api::{PlatformOperation, find};

type Answer = Result<Response, PlatformError>;

impl Platform {
    /// Answers a request, and delivers the events that it published.
    pub fn handle(&mut self, request: &Request) -> Response {
        let answer = self.answer(request);
        // Events are delivered before the client gets the response, so that its next request sees
        // their effects. If that fails, the request was committed all the same: its answer stays true, and the events
        // are delivered with the next ones.
        let _ = self.events().on_behalf_of(Origin::of(request)).deliver_events();
        answer
    }

    /// Answers a request without delivering its events. The caller delivers them for the tenants in the activity, with
    /// [`Deliveries::deliver_events_of`](crate::Deliveries::deliver_events_of).
    pub fn answer(&mut self, request: &Request) -> Response {
        self.route(request).unwrap_or_else(|error| error.response())
    }

    /// Returns the response of `/health`: the status, the version, and the plugins in the state `error`.
    pub fn health_of_host(in_error: &[&str]) -> Response {
        let status = if in_error.is_empty() { "ok" } else { "degraded" };
        let version = env!("CARGO_PKG_VERSION");
        Response::json(200, json!({ "status": status, "version": version, "plugins_in_error": in_error }))
    }

    /// Returns the ids of the plugins in the state `error`.
    pub fn plugins_in_error(&self) -> Vec<&str> {
        in_error(&self.plugins)
    }

    fn route(&mut self, request: &Request) -> Answer {
        use PlatformOperation as Op;
        let found = find(&request.method, &request.path).ok_or_else(|| request.no_route())?;
        let operation = found.route.platform_operation().ok_or_else(|| request.no_route())?;
        request.admit(found.route)?;
        let of = |name: &str| found.value(name);
        match operation {
            Op::Health => Ok(Platform::health_of_host(&self.plugins_in_error())),
            Op::Openapi => Ok(self.model_routes().openapi()),

            Op::ListPlugins => Ok(Response::json(200, json!(self.plugins()))),
            Op::UploadPackage => self.plugin_routes().upload_package(request),
            Op::ShowPlugin => self.plugin_routes().detail(of("id")),
            Op::ShowReceipt => Ok(Response::json(200, json!(self.lifecycle().receipt(of("id"), of("version"))?))),
            Op::InstallPlugin => {
                self.lifecycle().install(of("id")).and_then(|()| self.plugin_routes().state_of(of("id")))
            }
            Op::EnablePlugin => {
                let enabled = self.lifecycle().on_behalf_of(Origin::of(request)).enable(of("id"));
                enabled.and_then(|()| self.plugin_routes().state_of(of("id")))
            }
            Op::DisablePlugin => {
                self.lifecycle().disable(of("id")).and_then(|()| self.plugin_routes().state_of(of("id")))
            }
            Op::UninstallPlugin => {
                self.lifecycle().uninstall(of("id")).and_then(|()| self.plugin_routes().state_of(of("id")))
            }
            Op::PurgePlugin => self.lifecycle().purge(of("id")).map(|()| Response::empty(204)),
            Op::RollBackPlugin => self.plugin_routes().roll_back_plugin(request, of("id")),
            Op::ListUpgrades => self.plugin_routes().upgrades_of(of("id")),
            Op::InsertDemoRows => self.plugin_routes().insert_demo_rows(request, of("id")),
            Op::PluginHealth => self.plugin_routes().health(of("id")),
            Op::ShowSettings => self.plugin_routes().settings(request, of("id")),
            Op::ChangeSettings => self.plugin_routes().change_settings(request, of("id")),
            Op::ChangeSecrets => self.plugin_routes().change_secrets(request, of("id")),

            Op::RegistryKey => Ok(Response::json(200, self.registry().registry_key()?)),
            Op::ListRevocations => Ok(Response::json(200, self.registry().revocations()?)),
            Op::Revoke => Ok(Response::json(201, self.registry().revoke(&Value::Object(request.object()?))?)),
            Op::RotateKey => Ok(Response::json(201, self.registry().take_rotation(&request.body)?)),

            Op::ListEntities => self.model_routes().entities(request),
            Op::ListPages => self.model_routes().pages(request, of("plugin")),
            Op::ShowPage => self
                .pages()
                .page(request.user()?, request.accept_language.as_deref(), of("plugin"), of("page"))
                .map(|page| Response::json(200, page)),
            Op::PluginFile => self.model_routes().plugin_file(request, of("plugin"), of("path")),

            Op::ListUsers => self.directory_routes().users(request),
            Op::ShowMe => Ok(Response::json(200, user_json(request.user()?))),
            Op::ShowUser => self.directory_routes().user(request, of("id")),
            Op::ListDepartments => self.directory_routes().departments(request),
            Op::ListRoles => self.directory_routes().roles(request),

            Op::ListRows => self.rows_of(request, &found)?.list(request),
            Op::CreateRow => self.rows_of(request, &found)?.create(request),
            Op::CountRows => self.rows_of(request, &found)?.count(request),
            Op::Aggregate => self.rows_of(request, &found)?.aggregate(request),
            Op::Timeseries => self.rows_of(request, &found)?.timeseries(request),
            Op::ResolveLabels => self.rows_of(request, &found)?.resolve_labels(request),
            Op::ExportRows => self.rows_of(request, &found)?.export(request),
            Op::ImportRows => self.rows_of(request, &found)?.import(request),
            Op::PreviewRow => self.rows_of(request, &found)?.preview(request),
            Op::AvailableActions => self.rows_of(request, &found)?.available_actions(request),
            Op::ShowRow => self.rows_of(request, &found)?.show(request, of("id")),
            Op::ReplaceRow => self.rows_of(request, &found)?.replace(request, of("id")),
            Op::UpdateRow => self.rows_of(request, &found)?.update(request, of("id")),
            Op::DeleteRow => self.rows_of(request, &found)?.delete(request, of("id")),
            Op::RowHistory => self.rows_of(request, &found)?.history(request, of("id")),
            Op::InvokeAction => self.invoke_action(request, &found),

            Op::ListNodes => Ok(self.node_routes().list_nodes(request)),
            Op::ShowNode => self.node_routes().show_node(request, of("kind")),
            Op::ExecuteNode => self.node_routes().run_node(request, of("kind"), NodeVerb::Execute),
            Op::SupplyNode => self.node_routes().run_node(request, of("kind"), NodeVerb::Supply),
            Op::NodeOptions => self.node_routes().run_node(request, of("kind"), NodeVerb::Options),
            Op::RunProcessor => self.node_routes().run_processor(request, of("plugin"), false),
            Op::ValidateProcessorInput => self.node_routes().run_processor(request, of("plugin"), true),

            Op::ListTables => Ok(Response::json(200, json!(self.database.lock().schema().tables()?))),
            Op::Counters => Ok(Response::json(200, json!(self.counters()))),
            Op::Denials => self.dev_routes().denials(),
            Op::ListTenants => Ok(Response::json(200, json!(self.directory.tenants()))),
            Op::ChangeConfig => self.dev_routes().change_config(request),
            Op::ListEvents => self.dev_routes().list_events(),
            Op::SendEvent => self.dev_routes().send_event(request),
            Op::RedeliverEvent => self.dev_routes().redeliver_event(request, of("id")),
            Op::ListBaseEvents => Ok(base_events()),
            Op::ListFaults => Ok(self.dev_routes().faults_shown()),
            Op::AddFault => self.dev_routes().plan_fault(request),
            Op::ClearFaults => {
                self.surroundings().clear_faults();
                Ok(self.dev_routes().faults_shown())
            }
            Op::ShowClock => Ok(self.dev_routes().clock_shown()),
            Op::ChangeClock => self.dev_routes().change_clock(request),
            Op::ShowLimits => Ok(self.dev_routes().limits_shown()),
            Op::ChangeLimits => self.dev_routes().change_limits(request),
            Op::ShowQuirks => Ok(self.dev_routes().quirks_shown()),
            Op::ChangeQuirks => self.dev_routes().change_quirks(request),
            Op::InspectRows => self.dev_routes().inspect_rows(request, of("plugin"), of("entity")),
            Op::InspectHistory => self.dev_routes().inspect_history(request, of("plugin"), of("entity"), of("id")),
            Op::QuerySql => self.dev_routes().query_sql(request),
            Op::ListExports => self.dev_routes().list_exports(of("plugin")),
            Op::InvokeExport => self.dev_routes().invoke_any(request),
        }
    }
}
