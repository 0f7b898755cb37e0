//! The routes, and the operations that they name.

use erp_manifest::contract::{MAX_PAGE_ROWS, PAGE_ROWS};

use self::HostOperation as H;
use self::Operation::{DevHost, Platform};
use self::PlatformOperation as P;
use super::permissions::{PLUGIN_ADMIN, PROCESSOR_RUN, WORKFLOW_RUN};
use super::route::QueryValue::{Flag, Number, NumberBetween, OneOf, RequiredText, Text};
use super::route::{Access, Effect, Exists, QueryKey, QueryValue, Route};
use super::shape::{BodyShape, RequestShape};

macro_rules! operations {
    ($(#[$about:meta])* $name:ident: $($variant:ident)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the route of each says what it does")]
        pub enum $name { $($variant,)* }

        impl $name {
            /// All operations, in the order of their declaration.
            pub const ALL: &[$name] = &[$($name::$variant,)*];
        }
    };
}

operations! {
    /// The operations that the platform answers.
    PlatformOperation:
    Health Openapi
    ListPlugins UploadPackage ShowPlugin ShowReceipt InstallPlugin EnablePlugin DisablePlugin UninstallPlugin
    PurgePlugin RollBackPlugin ListUpgrades InsertDemoRows PluginHealth ShowSettings ChangeSettings ChangeSecrets
    RegistryKey ListRevocations Revoke RotateKey
    ListEntities ListPages ShowPage PluginFile
    ListUsers ShowMe ShowUser ListDepartments ListRoles
    ListRows CreateRow CountRows Aggregate Timeseries ResolveLabels ExportRows ImportRows PreviewRow
    AvailableActions ShowRow ReplaceRow UpdateRow DeleteRow RowHistory InvokeAction
    ListNodes ShowNode ExecuteNode SupplyNode NodeOptions RunProcessor ValidateProcessorInput
    ListTables Counters Denials ListTenants ChangeConfig ListEvents SendEvent RedeliverEvent ListBaseEvents
    ListFaults AddFault ClearFaults ShowClock ChangeClock ShowLimits ChangeLimits ShowQuirks ChangeQuirks
    InspectRows InspectHistory QuerySql ListExports InvokeExport
}

operations! {
    /// The operations that the dev host around the platform answers itself.
    HostOperation:
    Stream ListCalls ShowCall ReplayCall ListWriters MakeScenario ShowSource ListTokens ChangeUser CreateTenant RemoveTenant OpenFrame
    ListProjects BuildProject AcceptLoss ActivateGeneration SetCanary TestProject
}

/// The operation that answers a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// An operation of the platform.
    Platform(PlatformOperation),
    /// An operation of the dev host around the platform.
    DevHost(HostOperation),
}

const ADMIN: Access = Access::Permission(PLUGIN_ADMIN);

const fn key(name: &'static str, value: QueryValue, about: &'static str) -> QueryKey {
    QueryKey { name, about, value }
}

const FILTER: QueryKey = key("filter", Text, "Conditions as JSON, such as `{\"status\": \"open\"}`");
const SEARCH: QueryKey = key("search", Text, "Text in any searchable field");
const VERSION: QueryKey = key("version", Number(1), "The version that the client saw");

const LIST: &[QueryKey] = &[
    key("page", Number(1), "The page, from 1"),
    key("page_size", NumberBetween(1, MAX_PAGE_ROWS, PAGE_ROWS), "Rows a page"),
    key("cursor", Text, "`next_cursor` of the page before, instead of `page`"),
    SEARCH,
    FILTER,
    key("sort_by", Text, "A sortable field"),
    key("sort_order", OneOf(&["asc", "desc"]), "The order"),
];
const TIMESERIES: &[QueryKey] = &[
    key("field", RequiredText, "A field that holds a date or a time"),
    key("per", OneOf(&["day", "year", "month", "hour"]), "The length of a period"),
    key("func", OneOf(&["count", "sum", "avg", "min", "max"]), "The function"),
    key("of", Text, "The field that the function computes over"),
    FILTER,
];

/// All routes, in the order of the docs.
pub const ROUTES: &[Route] = &[
    // The platform itself.
    Route::get(Platform(P::Health), "health", "/health")
        .does("Report that the host runs", "")
        .needs(Access::Public)
        .gives(200, BodyShape::Named("Health")),
    Route::get(Platform(P::Openapi), "openapi", "/api/v1/openapi.json")
        .does("Describe this API as OpenAPI 3.1", "With the entities of all installed plugins."),
    // Plugins.
    Route::get(Platform(P::ListPlugins), "plugins.list", "/api/v1/admin/plugins")
        .does("List plugins", "")
        .needs(ADMIN)
        .gives(200, BodyShape::ListOf("Plugin")),
    Route::post(Platform(P::UploadPackage), "plugins.upload", "/api/v1/admin/plugins/upload")
        .does(
            "Upload a package",
            "`content-digest` is checked. The same file gets the same receipt; another file of the same version gets 409. A form is \
             taken too: the part `package`, or `wasm`, `manifest` and files by their paths.",
        )
        .needs(ADMIN)
        .effect(Effect::ChangesPlugins)
        .takes(RequestShape::Package)
        .gives(201, BodyShape::Named("Receipt")),
    Route::get(Platform(P::ShowPlugin), "plugins.get", "/api/v1/admin/plugins/{id}")
        .does("Show a plugin", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Named("PluginDetail")),
    Route::delete(Platform(P::UninstallPlugin), "plugins.uninstall", "/api/v1/admin/plugins/{id}")
        .does("Uninstall a plugin", "Its rows stay.")
        .needs(ADMIN)
        .effect(Effect::ChangesPlugins)
        .gives(200, BodyShape::Named("PluginState")),
    Route::post(Platform(P::InstallPlugin), "plugins.install", "/api/v1/admin/plugins/{id}/install")
        .does("Install a plugin", "Creates its tables.")
        .needs(ADMIN)
        .effect(Effect::ChangesPlugins)
        .gives(200, BodyShape::Named("PluginState")),
    Route::post(Platform(P::EnablePlugin), "plugins.enable", "/api/v1/admin/plugins/{id}/enable")
        .does("Start a plugin", "")
        .needs(ADMIN)
        .effect(Effect::ChangesPlugins)
        .gives(200, BodyShape::Named("PluginState")),
    Route::post(Platform(P::DisablePlugin), "plugins.disable", "/api/v1/admin/plugins/{id}/disable")
        .does("Stop a plugin", "It receives no events meanwhile, and none of them later.")
        .needs(ADMIN)
        .effect(Effect::ChangesPlugins)
        .gives(200, BodyShape::Named("PluginState")),
    Route::post(Platform(P::PurgePlugin), "plugins.purge", "/api/v1/admin/plugins/{id}/purge")
        .does("Delete the tables of an uninstalled plugin", "With all their rows.")
        .needs(ADMIN)
        .effect(Effect::ChangesPlugins)
        .gives(204, BodyShape::Nothing),
    Route::post(Platform(P::RollBackPlugin), "plugins.rollback", "/api/v1/admin/plugins/{id}/rollback")
        .does("Roll back the latest upgrade", "`discard_changes` also discards what was written since.")
        .needs(ADMIN)
        .effect(Effect::ChangesPlugins)
        .takes(RequestShape::MayBeJson(BodyShape::Named("Rollback")))
        .gives(200, BodyShape::Named("RollbackResult")),
    Route::get(Platform(P::ListUpgrades), "plugins.upgrades", "/api/v1/admin/plugins/{id}/upgrades")
        .does("List the upgrades of a plugin's tables", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Objects),
    Route::post(Platform(P::InsertDemoRows), "plugins.demo", "/api/v1/admin/plugins/{id}/demo")
        .does("Insert the rows of `[[demo]]`", "Into the caller's tenant.")
        .needs(ADMIN)
        .effect(Effect::Calls)
        .gives(200, BodyShape::Named("DemoRows")),
    Route::get(Platform(P::PluginHealth), "plugins.health", "/api/v1/admin/plugins/{id}/health")
        .does("Report the health of a plugin", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Named("PluginHealth")),
    Route::get(Platform(P::ShowReceipt), "plugins.receipt", "/api/v1/admin/plugins/{id}/versions/{version}")
        .does("Show the receipt of a version", "`envelope` is the same, signed by the host; `publish` keeps it.")
        .needs(ADMIN)
        .gives(200, BodyShape::Named("Receipt")),
    Route::get(Platform(P::ShowSettings), "plugins.settings", "/api/v1/admin/plugins/{id}/config")
        .does("Show the settings of a plugin", "Those of the caller's tenant.")
        .needs(ADMIN),
    Route::put(Platform(P::ChangeSettings), "plugins.set_settings", "/api/v1/admin/plugins/{id}/config")
        .does("Change settings of a plugin", "Those of the caller's tenant.")
        .needs(ADMIN)
        .effect(Effect::WritesRows)
        .takes(RequestShape::Json(BodyShape::Object)),
    Route::put(Platform(P::ChangeSecrets), "plugins.set_secrets", "/api/v1/admin/plugins/{id}/secrets")
        .does("Change secrets of a plugin", "Those of the caller's tenant. No route returns them.")
        .needs(ADMIN)
        .effect(Effect::WritesRows)
        .takes(RequestShape::Json(BodyShape::Named("Secrets")))
        .gives(204, BodyShape::Nothing),
    // The registry.
    Route::get(Platform(P::RegistryKey), "registry.key", "/api/v1/registry/key")
        .does("Show the registry's name and public key", "For `key trust --registry`.")
        .gives(200, BodyShape::Object),
    Route::get(Platform(P::ListRevocations), "registry.revocations", "/api/v1/registry/revocations")
        .does("Show the signed list of revoked keys and withdrawn packages", ""),
    Route::post(Platform(P::Revoke), "registry.revoke", "/api/v1/registry/revocations")
        .does("Revoke keys and withdraw packages", "Returns the new list.")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Named("Revocations")))
        .gives(201, BodyShape::Object),
    Route::post(Platform(P::RotateKey), "registry.rotate", "/api/v1/registry/rotations")
        .does("Accept the rotation of a publisher's key", "The file that `key rotate` writes.")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Object))
        .gives(201, BodyShape::Object),
    // Pages and entities.
    Route::get(Platform(P::ListEntities), "entities.list", "/api/v1/plugin-registry/entities")
        .does(
            "List entities with their fields",
            "Those that the user may list or refer to, with labels in the language of `accept-language`.",
        )
        .asks(&[key("plugin", Text, "Only those of this plugin")])
        .gives(200, BodyShape::Objects),
    Route::get(Platform(P::ListPages), "pages.list", "/api/v1/plugins/{plugin}/pages")
        .does("List the pages that the user may open", "")
        .gives(200, BodyShape::ListOf("PageLink")),
    Route::get(Platform(P::ShowPage), "pages.get", "/api/v1/plugins/{plugin}/pages/{page}")
        .does("Show a page as it is drawn", "")
        .needs(Access::Declared),
    Route::get(Platform(P::PluginFile), "plugins.file", "/api/v1/plugin-files/{plugin}/{path...}")
        .does("Get a file of a plugin's pages", "")
        .gives(200, BodyShape::Bytes),
    // Rows.
    Route::get(Platform(P::ListRows), "list", "/api/v1/plugins/{plugin}/{entity}")
        .does(
            "List rows",
            "Continue with `cursor`, which belongs to one order, or with `page`. Missing values sort first.",
        )
        .needs(Access::ListEntity)
        .asks(LIST)
        .gives(200, BodyShape::Page),
    Route::post(Platform(P::CreateRow), "create", "/api/v1/plugins/{plugin}/{entity}")
        .does("Create a row", "")
        .needs(Access::ManageEntity)
        .takes(RequestShape::Json(BodyShape::Create))
        .gives(201, BodyShape::Row)
        .effect(Effect::WritesRows),
    Route::get(Platform(P::ShowRow), "get", "/api/v1/plugins/{plugin}/{entity}/{id}")
        .does("Show a row", "")
        .needs(Access::ListEntity)
        .gives(200, BodyShape::Row),
    Route::put(Platform(P::ReplaceRow), "replace", "/api/v1/plugins/{plugin}/{entity}/{id}")
        .does("Replace a row", "409 if another version exists by now.")
        .needs(Access::ManageEntity)
        .takes(RequestShape::Json(BodyShape::Replace))
        .gives(200, BodyShape::Row)
        .effect(Effect::WritesRows),
    Route::patch(Platform(P::UpdateRow), "update", "/api/v1/plugins/{plugin}/{entity}/{id}")
        .does("Change fields of a row", "409 if another version exists by now.")
        .needs(Access::ManageEntity)
        .takes(RequestShape::Json(BodyShape::Update))
        .gives(200, BodyShape::Row)
        .effect(Effect::WritesRows),
    Route::delete(Platform(P::DeleteRow), "delete", "/api/v1/plugins/{plugin}/{entity}/{id}")
        .does("Delete a row", "It can be restored: its row stays, marked as deleted.")
        .needs(Access::ManageEntity)
        .asks(&[VERSION])
        .gives(204, BodyShape::Nothing)
        .effect(Effect::WritesRows),
    Route::get(Platform(P::CountRows), "count", "/api/v1/plugins/{plugin}/{entity}/count")
        .does("Count rows", "")
        .needs(Access::ListEntity)
        .asks(&[FILTER, SEARCH])
        .gives(200, BodyShape::Named("Count")),
    Route::get(Platform(P::Aggregate), "groups", "/api/v1/plugins/{plugin}/{entity}/aggregate")
        .does("Count rows by groups", "")
        .needs(Access::ListEntity)
        .asks(&[key("group_by", Text, "Fields, separated by commas"), FILTER])
        .gives(200, BodyShape::Objects),
    Route::post(Platform(P::Aggregate), "aggregate", "/api/v1/plugins/{plugin}/{entity}/aggregate")
        .does("Compute over groups of rows", "A group may be `{\"field\", \"per\": \"month\"}`.")
        .needs(Access::ListEntity)
        .takes(RequestShape::Json(BodyShape::Object))
        .gives(200, BodyShape::Objects)
        .effect(Effect::Reads),
    Route::get(Platform(P::Timeseries), "timeseries", "/api/v1/plugins/{plugin}/{entity}/timeseries")
        .does("Compute a value for each period that has rows", "")
        .needs(Access::ListEntity)
        .asks(TIMESERIES)
        .gives(200, BodyShape::ListOf("Period")),
    Route::post(Platform(P::ResolveLabels), "labels", "/api/v1/plugins/{plugin}/{entity}/resolve-labels")
        .does("Look up the labels of referenced rows", "")
        .needs(Access::ListEntity)
        .takes(RequestShape::Json(BodyShape::Named("References")))
        .gives(200, BodyShape::Named("Labels"))
        .effect(Effect::Reads),
    Route::get(Platform(P::ExportRows), "export", "/api/v1/plugins/{plugin}/{entity}/export")
        .does("Export rows as a file", "At most 10,000 rows and 32 MiB, of an entity that is `exportable`.")
        .needs(Access::ListEntity)
        .asks(&[key("format", OneOf(&["csv", "json"]), "The format of the file"), FILTER, SEARCH])
        .gives(200, BodyShape::File)
        .effect(Effect::ReadsLong)
        .exists(Exists::Exportable),
    Route::post(Platform(P::ImportRows), "import", "/api/v1/plugins/{plugin}/{entity}/import")
        .does(
            "Import rows from a file",
            "At most 10,000, as JSON or as `text/csv` whose first line has names or labels, of an entity that is \
             `importable`. Each row is judged alone; the valid ones are inserted together.",
        )
        .needs(Access::ManageEntity)
        .asks(&[key("dry_run", Flag, "Insert nothing")])
        .takes(RequestShape::Rows)
        .gives(200, BodyShape::Named("Import"))
        .effect(Effect::Calls)
        .exists(Exists::Importable),
    Route::post(Platform(P::PreviewRow), "preview", "/api/v1/plugins/{plugin}/{entity}/preview")
        .does(
            "Complete and validate the data of a form",
            "Returns it with defaults and computed fields, which fields are hidden or required, and the problems so far. \
             Writes nothing.",
        )
        .needs(Access::ListEntity)
        .takes(RequestShape::Json(BodyShape::Named("Form")))
        .gives(200, BodyShape::Named("FormPreview"))
        .effect(Effect::Reads),
    Route::get(Platform(P::RowHistory), "history", "/api/v1/plugins/{plugin}/{entity}/{id}/history")
        .does("List the changes of a row", "")
        .needs(Access::ListEntity)
        .gives(200, BodyShape::Objects),
    Route::post(Platform(P::AvailableActions), "available_actions", "/api/v1/plugins/{plugin}/{entity}/available-actions")
        .does("List the actions that the user may run on rows", "")
        .needs(Access::ListEntity)
        .takes(RequestShape::Json(BodyShape::Named("RowIds")))
        .gives(200, BodyShape::Named("ActionsOfRows"))
        .effect(Effect::Reads),
    Route::post(Platform(P::InvokeAction), "action", "/api/v1/plugins/{plugin}/{entity}/{id}/actions/{action}")
        .does("Run an action of `[[ui.actions]]` on a row", "")
        .needs(Access::Declared)
        .takes(RequestShape::MayBeJson(BodyShape::Object))
        .gives(200, BodyShape::Any)
        .effect(Effect::Calls)
        .exists(Exists::PerAction),
    // Base modules.
    Route::get(Platform(P::ListUsers), "users.list", "/api/v1/users")
        .does("List users of the caller's tenant", "")
        .asks(&[key("search", Text, "Text in the name")])
        .gives(200, BodyShape::Named("Users")),
    Route::get(Platform(P::ShowMe), "users.me", "/api/v1/users/me")
        .does("Show the user of the token", "")
        .gives(200, BodyShape::Named("User")),
    Route::get(Platform(P::ShowUser), "users.get", "/api/v1/users/{id}")
        .does("Show a user of the caller's tenant", "")
        .gives(200, BodyShape::Named("User")),
    Route::get(Platform(P::ListDepartments), "departments.list", "/api/v1/departments")
        .does("List departments", "")
        .gives(200, BodyShape::Named("Departments")),
    Route::get(Platform(P::ListRoles), "roles.list", "/api/v1/roles")
        .does("List roles with their permissions", "")
        .gives(200, BodyShape::Named("Roles")),
    // Nodes and processors.
    Route::get(Platform(P::ListNodes), "nodes.list", "/api/v1/nodes")
        .does("List the node kinds of workflows", "With labels in the language of `accept-language`.")
        .gives(200, BodyShape::Objects),
    Route::get(Platform(P::ShowNode), "nodes.get", "/api/v1/nodes/{kind}").does("Show a node kind", ""),
    Route::post(Platform(P::ExecuteNode), "nodes.execute", "/api/v1/nodes/{kind}/execute")
        .does("Run a node", "")
        .needs(Access::Permission(WORKFLOW_RUN))
        .takes(RequestShape::MayBeJson(BodyShape::Named("NodeInput")))
        .gives(200, BodyShape::Named("NodeResult"))
        .effect(Effect::Calls),
    Route::post(Platform(P::SupplyNode), "nodes.supply", "/api/v1/nodes/{kind}/supply")
        .does("Get what a node supplies to others", "")
        .needs(Access::Permission(WORKFLOW_RUN))
        .takes(RequestShape::MayBeJson(BodyShape::Named("NodeSettings")))
        .gives(200, BodyShape::Named("NodeResult"))
        .effect(Effect::Calls),
    Route::post(Platform(P::NodeOptions), "nodes.options", "/api/v1/nodes/{kind}/options")
        .does("List the options of a node's property", "")
        .needs(Access::Permission(WORKFLOW_RUN))
        .takes(RequestShape::Json(BodyShape::Named("NodeQuestion")))
        .gives(200, BodyShape::Named("NodeResult"))
        .effect(Effect::Calls),
    Route::post(Platform(P::RunProcessor), "processors.run", "/api/v1/processors/{plugin}")
        .does(
            "Process bytes",
            "`content-type` says what they are. The answer has the plugin's own type, `x-items-processed` and `x-warnings`.",
        )
        .needs(Access::Permission(PROCESSOR_RUN))
        .asks(&[key("options", Text, "Options as JSON")])
        .takes(RequestShape::Bytes)
        .gives(200, BodyShape::Bytes)
        .effect(Effect::Calls),
    Route::post(Platform(P::ValidateProcessorInput), "processors.validate", "/api/v1/processors/{plugin}/validate")
        .does("Validate bytes without processing them", "")
        .needs(Access::Permission(PROCESSOR_RUN))
        .asks(&[key("options", Text, "Options as JSON")])
        .takes(RequestShape::Bytes)
        .gives(204, BodyShape::Nothing)
        .effect(Effect::Calls),
    // Only on a dev host.
    Route::get(DevHost(H::Stream), "dev.stream", "/_dev/stream")
        .does(
            "Follow everything that happens",
            "As server-sent events, or as a JSON document a line (`accept: application/x-ndjson`). A client that is too \
             slow gets a `gap`.",
        )
        .needs(ADMIN)
        .asks(&[
            key("kinds", Text, "Kinds of events, separated by commas"),
            key("after", Number(0), "The number of the last event that was seen; the header `last-event-id` does the same"),
        ])
        .gives(200, BodyShape::Stream),
    Route::get(DevHost(H::ListCalls), "dev.calls", "/_dev/calls")
        .does("List recent requests and calls, newest first", "")
        .needs(ADMIN)
        .asks(&[
            key("plugin", Text, "Only those of this plugin"),
            key("tenant", Text, "Only those of this tenant"),
            key("request_id", Text, "Only those of this request"),
            key("kind", OneOf(&["", "request", "call"]), "Only those of this kind"),
            key("failed", Flag, "Only those that failed"),
        ])
        .gives(200, BodyShape::Named("Calls")),
    Route::get(DevHost(H::ShowCall), "dev.call", "/_dev/calls/{number}")
        .does("Show a call with everything that it did", "")
        .needs(ADMIN),
    Route::post(DevHost(H::ReplayCall), "dev.replay", "/_dev/calls/{number}/replay")
        .does("Replay a call", "Against the running version, or against `generation`.")
        .needs(ADMIN)
        .effect(Effect::Calls)
        .takes(RequestShape::MayBeJson(BodyShape::Named("Replay"))),
    Route::get(DevHost(H::ListWriters), "dev.writers", "/_dev/writers/{entity}/{row}")
        .does("List which call wrote which version of a row", "`{entity}` is `plugin.entity`.")
        .needs(ADMIN),
    Route::post(DevHost(H::MakeScenario), "dev.scenario", "/_dev/scenarios")
        .does("Make a scenario from calls", "`write` puts it into the project's tests.")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Named("ScenarioOfCalls")))
        .gives(201, BodyShape::Named("ScenarioText")),
    Route::get(DevHost(H::ListProjects), "dev.projects", "/_dev/projects")
        .does("List the projects that are followed, with their generations", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Objects),
    Route::post(DevHost(H::BuildProject), "dev.build", "/_dev/projects/{plugin}/build")
        .does("Build a project", "")
        .needs(ADMIN)
        .effect(Effect::Calls)
        .gives(202, BodyShape::Nothing),
    Route::post(DevHost(H::TestProject), "dev.test", "/_dev/projects/{plugin}/test")
        .does("Run the scenarios of a project", "")
        .needs(ADMIN)
        .effect(Effect::Calls),
    Route::post(DevHost(H::AcceptLoss), "dev.accept_loss", "/_dev/projects/{plugin}/accept-loss")
        .does("Accept the rows that a changed schema loses", "")
        .needs(ADMIN)
        .effect(Effect::Calls)
        .gives(200, BodyShape::Objects),
    Route::post(
        DevHost(H::ActivateGeneration),
        "dev.activate",
        "/_dev/projects/{plugin}/generations/{generation}/activate",
    )
    .does("Serve another generation of a project", "")
    .needs(ADMIN)
    .effect(Effect::Calls)
    .gives(200, BodyShape::Objects),
    Route::post(DevHost(H::SetCanary), "dev.canary", "/_dev/projects/{plugin}/generations/{generation}/canary")
        .does("Give a generation a share of the requests", "")
        .needs(ADMIN)
        .effect(Effect::Calls)
        .takes(RequestShape::Json(BodyShape::Named("Canary"))),
    Route::get(DevHost(H::ShowSource), "dev.source", "/_dev/source")
        .does("Show lines of a project's source", "")
        .needs(ADMIN)
        .asks(&[
            key("plugin", RequiredText, "The project"),
            key("file", RequiredText, "The file, below `src`"),
            key("line", Number(1), "The line in the middle"),
        ]),
    Route::get(DevHost(H::ListTokens), "dev.users", "/_dev/users")
        .does("List users with their tokens", "")
        .needs(ADMIN)
        .gives(200, BodyShape::ListOf("Token")),
    Route::put(DevHost(H::ChangeUser), "dev.set_user", "/_dev/users/{name}")
        .does("Add a user, or change permissions and department", "201 for a new one.")
        .needs(ADMIN)
        .effect(Effect::Calls)
        .or(201)
        .takes(RequestShape::MayBeJson(BodyShape::Named("UserChange")))
        .gives(200, BodyShape::Named("Token")),
    Route::post(DevHost(H::CreateTenant), "dev.create_tenant", "/_dev/tenants")
        .does("Create a tenant", "With a user `admin@<tenant>`, who is returned. The plugins' hooks for tenants run.")
        .needs(ADMIN)
        .effect(Effect::Calls)
        .takes(RequestShape::Json(BodyShape::Named("NewTenant")))
        .gives(201, BodyShape::Named("Token")),
    Route::delete(DevHost(H::RemoveTenant), "dev.remove_tenant", "/_dev/tenants/{tenant}")
        .does("Remove a tenant and its users", "Its rows stay.")
        .needs(ADMIN)
        .effect(Effect::Calls)
        .gives(204, BodyShape::Nothing),
    Route::post(DevHost(H::OpenFrame), "dev.frame", "/_dev/frames")
        .does("Open the files of a plugin's page for a frame", "Returns an address that needs no token.")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Named("FrameRequest")))
        .gives(201, BodyShape::Named("Frame")),
    Route::get(Platform(P::ListTables), "dev.tables", "/_dev/tables")
        .does("List tables with their numbers of rows", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Objects),
    Route::get(Platform(P::ListTenants), "dev.tenants", "/_dev/tenants")
        .does("List tenants", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Named("Names")),
    Route::get(Platform(P::Counters), "dev.counters", "/_dev/counters")
        .does("Count calls, errors, time and fuel of each plugin since the start", "")
        .needs(ADMIN),
    Route::get(Platform(P::Denials), "dev.denials", "/_dev/denials")
        .does("List host calls that were denied, newest first", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Objects),
    Route::put(Platform(P::ChangeConfig), "dev.config", "/_dev/config")
        .does("Change keys of the platform's configuration", "As plugins read them.")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Object)),
    Route::get(Platform(P::ListEvents), "dev.events", "/_dev/events")
        .does("List recent events and their deliveries", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Objects),
    Route::post(Platform(P::SendEvent), "dev.send_event", "/_dev/events")
        .does("Send an event", "")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Named("NewEvent")))
        .gives(200, BodyShape::Named("Deliveries"))
        .effect(Effect::Calls),
    Route::post(Platform(P::RedeliverEvent), "dev.redeliver", "/_dev/events/{id}/redeliver")
        .does("Deliver an event again to the plugins that failed on it", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Named("Deliveries"))
        .effect(Effect::Calls),
    Route::get(Platform(P::ListBaseEvents), "dev.base_events", "/_dev/base-events")
        .does("List events of the platform's own modules, with a payload each", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Objects),
    Route::get(Platform(P::ListFaults), "dev.faults", "/_dev/faults")
        .does("List the faults that are planned", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Named("Faults")),
    Route::post(Platform(P::AddFault), "dev.add_fault", "/_dev/faults")
        .does("Let calls of the host fail, wait or run out of fuel", "")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Named("Fault")))
        .gives(200, BodyShape::Named("Faults")),
    Route::delete(Platform(P::ClearFaults), "dev.clear_faults", "/_dev/faults")
        .does("Remove all faults", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Named("Faults")),
    Route::get(Platform(P::ShowClock), "dev.clock", "/_dev/clock")
        .does("Show the clock", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Named("Clock")),
    Route::post(Platform(P::ChangeClock), "dev.set_clock", "/_dev/clock")
        .does("Move the clock", "One of `advance` (`30m`, `3d`, `-1h`), `set` and `reset`.")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Named("ClockChange")))
        .gives(200, BodyShape::Named("Clock")),
    Route::get(Platform(P::ShowLimits), "dev.limits", "/_dev/limits")
        .does("Show the bounds of calls", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Objects),
    Route::put(Platform(P::ChangeLimits), "dev.set_limits", "/_dev/limits")
        .does("Change the bounds of calls", "`{\"<name>\": \"<value>\"}`; those that are not named get their defaults.")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Object))
        .gives(204, BodyShape::Nothing),
    Route::get(Platform(P::ShowQuirks), "dev.quirks", "/_dev/quirks")
        .does("Show which known defects of the platform are imitated", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Named("Quirks")),
    Route::put(Platform(P::ChangeQuirks), "dev.set_quirks", "/_dev/quirks")
        .does("Imitate known defects of the platform", "")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Named("Quirks")))
        .gives(200, BodyShape::Named("Quirks")),
    Route::get(Platform(P::InspectRows), "dev.rows", "/_dev/rows/{plugin}/{entity}")
        .does("List rows of all tenants as they are stored", "")
        .needs(ADMIN)
        .asks(&[key("tenant", Text, "Only those of this tenant"), key("deleted", Flag, "Deleted ones too")])
        .gives(200, BodyShape::Objects),
    Route::get(Platform(P::InspectHistory), "dev.history", "/_dev/history/{plugin}/{entity}/{id}")
        .does("List the changes of a row of any tenant", "")
        .needs(ADMIN)
        .asks(&[key("tenant", Text, "The tenant; the caller's own without it")])
        .gives(200, BodyShape::Objects),
    Route::post(Platform(P::QuerySql), "dev.sql", "/_dev/sql")
        .does("Run an SQL statement that reads", "Entities of `plugin` are tables with the fields as columns.")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Named("SqlQuery")))
        .gives(200, BodyShape::Named("SqlResult"))
        .effect(Effect::ReadsLong),
    Route::get(Platform(P::ListExports), "dev.exports", "/_dev/exports/{plugin}")
        .does("List the exports of a plugin's component", "")
        .needs(ADMIN)
        .gives(200, BodyShape::Objects),
    Route::post(Platform(P::InvokeExport), "dev.invoke", "/_dev/invoke")
        .does("Call an export of a plugin", "With `function` and `arguments`, or with `call` in WAVE.")
        .needs(ADMIN)
        .takes(RequestShape::Json(BodyShape::Named("Invocation")))
        .gives(200, BodyShape::Named("InvocationResult"))
        .effect(Effect::Calls),
];
