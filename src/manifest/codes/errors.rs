//! The codes that guests and HTTP clients see. `docs/errors.md` is generated from them.
//!
//! They are in one module although several modules raise them: text from a guest or another server is looked up among
//! all of them. A plugin's own codes are not here.

use super::{Code, codes};

/// The code with this name; `None` for any other text, such as a plugin's own code.
pub fn find(name: &str) -> Option<Code> {
    CODES.iter().copied().find(|code| code.name() == name)
}

codes! { pub:
    COMPONENT_COMPILE_LIMIT = "component/compile-limit", error(422), "Compiling the component costs more than it may.",
        why: "Components are compiled in a process of their own, with a deadline and a bound of memory that grow with \
         their size. This one passes a bound, and the process was ended; nothing else waited for it.",
        fix: "Build with `--release` and split what is large. Compilers of languages stay far below the bounds; an address \
         space that is limited from outside (`ulimit -v`) may be too small for any component.";
    AUTH_MISSING = "auth.missing", error(401), "The request has no bearer token.",
        why: "The API must know whose tenant it works for.",
        fix: "Send `authorization: Bearer …`; the dev host prints its tokens when it starts.";
    AUTH_INVALID = "auth.invalid", error(401), "Nobody has this bearer token.",
        why: "The token is of another host or was made anew.",
        fix: "Take a token that this host printed, or ask its administrator for one.";
    AUTH_ANONYMOUS = "auth.anonymous", error(401), "The plugin asked who calls, and nobody does.",
        why: "Events, `init` and tenant hooks are called by the platform itself, without a user.",
        fix: "Ask `current` for the trigger first, or do without the user there.";
    AUTH_DENIED = "auth.denied", error(403), "The user lacks a permission.",
        why: "What users may do is decided by their roles.",
        fix: "Grant the role the permission that the error names.";
    CALL_INTERRUPTED = "call.interrupted", error(503, retryable), "The call was ended before its time.",
        why: "The client that asked for it has left, or the host was told to end. Nothing of the call was kept.",
        fix: "Ask again, if you still want it.";
    TENANT_TAKEN = "tenant.taken", error(409), "There is a tenant of this name.",
        why: "A tenant is created once.",
        fix: "Choose another name; `GET /_dev/tenants` lists those that there are.";
    TENANT_UNKNOWN = "tenant.unknown", error(404), "There is no such tenant.",
        why: "It was never created, or was removed.",
        fix: "`GET /_dev/tenants` lists those that there are.";
    TENANT_NONE = "tenant.none", error(409), "The plugin writes rows where no tenant is served.",
        why: "`init` runs once for the whole platform, before any tenant: what it wrote would belong to nobody, and no tenant would find it.",
        fix: "Write rows of tenants in the hook `on-tenant-created`, which runs for each of them; or bring them as `[[fixtures]]`.";
    CAP_DENIED = "cap.denied", error(403), "The plugin asked for what its manifest does not grant.",
        why: "A plugin may do what stands in `[capabilities]`, and nothing else.",
        fix: "Add the key that the error names to `[capabilities]`, pack and upload again.";
    DB_NOT_FOUND = "db.not_found", error(404), "There is no such row for this tenant.",
        why: "It was never there, was deleted, or belongs to another tenant.",
        fix: "Look for the row with a list first; deleted rows can be restored by the plugin.";
    DB_UNKNOWN_ENTITY = "db.unknown_entity", error(404), "No installed plugin has this entity.",
        why: "The name is misspelled, or the plugin is not installed.",
        fix: "Use the name of `[[schema.entities]]`; another plugin's entity is written `plugin.entity`.";
    DB_UNKNOWN_FIELD = "db.unknown_field", error(400), "The entity has no such field, or it cannot be used like this.",
        why: "Users only filter and sort by fields that the manifest opens.",
        fix: "Use a field of the entity; write `filterable = true` or `sortable = true` for it.";
    DB_VALIDATION = "db.validation", error(400), "Values that the entity does not take.",
        why: "A type, a bound, a required value, a constraint or a computed field.",
        fix: "Fix the fields that `details.problems` names.";
    DB_CONFLICT = "db.conflict", error(409, retryable), "Another process changed the same data at the same moment.",
        why: "On PostgreSQL several hosts may work with the same rows; units of work that cannot be put one after the other \
         are undone, all but one.",
        fix: "Try again: nothing of the call was kept, and the error says `retryable`.";
    DB_BUSY = "db.busy", error(503, retryable), "Somebody else's work is writing to the same database.",
        why: "A call of a plugin that has written something holds the database until it ends. Whoever wants to write too \
         waits for two seconds at the most.",
        fix: "Try again: nothing of the request was kept. A plugin that writes first and computes or waits for another \
         server afterwards should do it the other way round.";
    DB_TOO_SLOW = "db.too_slow", error(422), "Reading takes longer than the host waits.",
        why: "A request has ten seconds to read rows, a call of a plugin the rest of its time. A filter that no index \
         serves, or a sum over very many rows, takes longer.",
        fix: "Narrow the filter, or write `[[schema.entities.indexes]]` for the fields that it compares.";
    DB_UNIQUE = "db.unique", error(409), "Another live row of the tenant has the same value.",
        why: "The field or index is unique.",
        fix: "Change the value, or change the row that has it.";
    DB_REF_MISSING = "db.ref_missing", error(400), "A reference names a row that is not there.",
        why: "The id is wrong, the row was deleted, or it is another tenant's.",
        fix: "Insert the row first, or leave the reference empty.";
    DB_REF_RESTRICT = "db.ref_restrict", error(409), "Other rows name this one.",
        why: "A relation says `on_delete = \"restrict\"`.",
        fix: "Delete or change those rows first.";
    DB_CASCADE_TOO_LARGE = "db.cascade_too_large", error(409), "Too many rows would be deleted with this one.",
        why: "One call may only change so much.",
        fix: "Delete in smaller steps, from the leaves up.";
    DB_VERSION_CONFLICT = "db.version_conflict", error(409), "Someone else changed the row.",
        why: "The version that the call expected is not the row's.",
        fix: "Read the row again, apply the change to what it is now, and send it with the new version.";
    DB_BAD_QUERY = "db.bad_query", error(400), "A filter, a cursor or a query that cannot be read.",
        why: "A misspelled query must not give other rows than were asked for.",
        fix: "Fix what the error names; `docs/http-api.md` has the forms.";
    DB_BAD_JSON = "db.bad_json", error(400), "The plugin sent text that is not JSON of the right shape.",
        why: "Rows and queries travel as JSON.",
        fix: "Serialise a struct instead of writing JSON by hand.";
    NUMBERING_UNKNOWN = "numbering.unknown", error(422), "The manifest has no such numbering rule.",
        why: "The name is misspelled.",
        fix: "Use the name of a `[[numbering]]` block.";
    NUMBERING_EXHAUSTED = "numbering.exhausted", error(422), "A sequence has no number left in its digits.",
        why: "`seq_length` is full for this period.",
        fix: "Raise `seq_length`, or let the rule start again more often.";
    CONFIG_UNKNOWN_SETTING = "config.unknown_setting", error(400), "The manifest has no such setting.",
        why: "The key is misspelled.",
        fix: "Use a key of `[[settings.fields]]`.";
    CONFIG_BAD_SECRET = "config.bad_secret", error(422), "The secret cannot be set.",
        why: "The manifest does not name it, or its value is no text.",
        fix: "Use a key of `secrets` in [capabilities].";
    KV_NOT_A_NUMBER = "kv.not_a_number", error(422), "The value that is incremented is no number.",
        why: "Something else was stored under the key.",
        fix: "Use another key for the counter.";
    KV_OVERFLOW = "kv.overflow", error(422), "A counter left the 64 bits.",
        why: "It was incremented by too much.",
        fix: "Start it again, or count in larger units.";
    LIMIT_FUEL = "limit.fuel", limit, "The call burned all of its fuel.",
        why: "Fuel counts WebAssembly instructions; the default of 10,000,000 is about 0.6 ms of a core.",
        fix: "Do less in one call, or raise `fuel` in `[runtime]`; `expect.fuel` in a scenario keeps it in sight.";
    LIMIT_TIME = "limit.time", limit, "The call took longer than its time.",
        why: "`[runtime] timeout` bounds a call, host calls included.",
        fix: "Do less in one call; look for a loop over many rows.";
    LIMIT_MEMORY = "limit.memory", limit, "The call needs more memory than it may have.",
        why: "`[runtime] memory` bounds all memories of a call together.",
        fix: "Work on pages of rows instead of all of them; raise the bound where that is not enough.";
    LIMIT_HOST_CALLS = "limit.host_calls", limit, "Too many calls of the host in one call.",
        why: "Often a query for each row of another query.",
        fix: "Use `batch`, a filter with `in`, or `resolve-labels`.";
    LIMIT_ROWS = "limit.rows", limit, "Too many rows were read in one call.",
        why: "A call may only read so many.",
        fix: "Filter, aggregate, or go on with a cursor in a later call.";
    LIMIT_WRITES = "limit.writes", limit, "Too many rows were changed in one call.",
        why: "A call may only change so many.",
        fix: "Split the work over several events.";
    LIMIT_EVENTS = "limit.events", limit, "Too many events were told in one call.",
        why: "A call may only tell so many.",
        fix: "Tell one event about many rows.";
    LIMIT_EVENT_DEPTH = "limit.event_depth", limit, "A chain of events is too long.",
        why: "Events lead to events that lead to events; often a handler hears what it tells.",
        fix: "Subscribe to exact names, and tell nothing where the handler was called by its own event.";
    LIMIT_TABLES = "limit.tables", limit, "The component needs larger tables than it may have.",
        why: "Tables hold functions that are called indirectly; all of them together are bounded.",
        fix: "Link less into one component; very large tables come of huge libraries.";
    LIMIT_RESULT_BYTES = "limit.result_bytes", limit, "One call of the host would give too much.",
        why: "A page of large rows, a large file or a large response.",
        fix: "Ask for fewer rows, or for a part of the file.";
    LIMIT_BYTES = "limit.bytes", limit, "All calls of the host together gave too much.",
        why: "What a call is given is bounded, since it must fit into its memory too.",
        fix: "Filter and aggregate in the database instead of in the plugin.";
    LIMIT_WRITTEN_BYTES = "limit.written_bytes", limit, "Too many bytes were written in one call.",
        why: "Rows, keys, items and events together are bounded.",
        fix: "Write less, or split the work over several events.";
    LIMIT_ARGUMENT_BYTES = "limit.argument_bytes", limit, "The arguments of one call of the host are too large.",
        why: "What a plugin hands over is read, kept and shown; it weighs more in the host than in the plugin.",
        fix: "Hand over less at once: part what is large into several rows, keys or events.";
    LIMIT_BORDER_BYTES = "limit.border_bytes", limit, "The plugin handed over too much at once.",
        why: "Arguments and results are copied across the border, and a small guest could make the host copy gigabytes.",
        fix: "Hand over less at once, in several calls.";
    LIMIT_HTTP_REQUESTS = "limit.http_requests", limit, "Too many requests were sent in one call.",
        why: "A call may only send so many.",
        fix: "Ask for many things at once, or split the work over several events.";
    LIMIT_BLOB_BYTES = "limit.blob_bytes", limit, "Too many bytes of files were stored in one call.",
        why: "A call may only store so much.",
        fix: "Store less, or split the work over several calls.";
    CONFIG_NO_SECRET = "config.no_secret", error(422), "A secret has no value.",
        why: "Secrets are set per tenant by an administrator.",
        fix: "Set it with `PUT /api/v1/admin/plugins/<id>/secrets`, or in `[world.secrets]` of a scenario.";
    EXPR_BAD = "expr.bad", error(422), "An expression of the plugin cannot be computed.",
        why: "It cannot be read, names something that is not among the values, or divides by zero.",
        fix: "`docs/expressions.md` has the language; the message names the place.";
    BLOB_NOT_FOUND = "blob.not_found", error(404), "There is no such file.",
        why: "The id is wrong, or the file belongs to another tenant or plugin.",
        fix: "Keep the id that `put` gave.";
    BLOB_BAD_NAME = "blob.bad_name", error(422), "A file needs a name without slashes and control characters, and a media type.",
        why: "Names are shown to people and written into headers.",
        fix: "Write them like `report.pdf` and `application/pdf`.";
    HTTP_BAD_REQUEST = "http.bad_request", error(422), "The plugin's request cannot be sent.",
        why: "Its method or one of its headers is not one that may be sent.",
        fix: "Leave `host`, `content-length` and the like to the host.";
    HTTP_NO_NETWORK = "http.no_network", error(500), "Nothing here sends requests.",
        why: "Tests have no network, so that they give the same every time.",
        fix: "Give the response in `[[world.http]]` of the scenario, or record a cassette.";
    HTTP_NO_RESPONSE = "http.no_response", error(500), "No recorded response fits the request.",
        why: "Method, address and body must be those of the recording.",
        fix: "Add the response to `[[world.http]]`, or record the cassette again.";
    HTTP_FAILED = "http.failed", error(502, retryable), "The request of the plugin failed.",
        why: "The network or the other side did not answer in time, or answered too much.",
        fix: "Try again later: the call is retryable.";
    AUTH_OUT_OF_SCOPE = "auth.out_of_scope", error(403), "The row would be out of the user's data scope.",
        why: "Nobody makes or changes a row into one that they could not see.",
        fix: "Name an owner or a department within the user's scope, or grant a wider one.";
    GUEST_ERROR = "guest.error", error(422), "The plugin returned an error of its own.",
        why: "The message is the plugin's.",
        fix: "Read the message; the plugin's log says more.";
    GUEST_PANIC = "guest.panic", error(500), "The plugin panicked.",
        why: "An `unwrap`, an index out of bounds, a `panic!`: the message stands in the log. Nothing of the call was kept.",
        fix: "Return an error instead; the trap's frames name function, file and line of a debug build.";
    GUEST_FAULT = "guest.fault", error(500), "The plugin touched memory outside of its own, divided by zero, or called a function of another type.",
        why: "Safe Rust cannot do that: look into `unsafe` code and into libraries written in C.",
        fix: "Build without `--release` to get the file and the line, and mend the code.";
    GUEST_STACK_OVERFLOW = "guest.stack_overflow", error(500), "The plugin's stack is exhausted.",
        why: "A recursion is too deep, or does not end.",
        fix: "Use a loop with a list of what is left to do.";
    GUEST_BORDER = "guest.border", error(500), "The plugin gave the host something that cannot cross the border.",
        why: "Text that is not UTF-8, a pointer outside of its memory, too much data at once.",
        fix: "Give less, or mend the code that writes the bytes; bindings of `erp-plugin generate` never do this.";
    HOST_DATABASE = "host.database", error(500, retryable), "The database failed.",
        why: "The disk is full, the file is damaged or used by another program.",
        fix: "Read the message, and try again: the call is retryable.";
    HOST_UNSUPPORTED = "host.unsupported", error(500), "What was called is not there.",
        why: "The component lacks the export, or the arguments do not fit.",
        fix: "Name a world that has the export, implement it, and build again.";
    HOST_ADDRESS_SPACE = "host.address_space", error(503, retryable), "This machine gives no address space for a plugin's memory.",
        why: "Each call gets a range of addresses of its own, of several gigabytes that are not used; a limit of the process forbids it.",
        fix: "Raise or remove the limit: `ulimit -v unlimited`, or the address space of the service.";
    HOST_BUG = "host.bug", error(500), "The host itself failed.",
        why: "This is a bug in erp-plugin.",
        fix: "Report what its log says, with the request.";
    HTTP_BAD_FORM = "http.bad_form", error(400), "The form of an upload cannot be read.",
        why: "An upload is a package as it is, or a form with the part `package`, or with the parts `wasm`, `manifest`, and files by their paths.",
        fix: "Send it like `curl -F package=@erp-demo-0.1.0.erpx`, or use `erp-plugin publish`.";
    HTTP_BAD_JSON = "http.bad_json", error(400), "The body cannot be read.",
        why: "It is no JSON object, names a key twice, or lacks a key.",
        fix: "Fix what the error names.";
    HTTP_BAD_QUERY = "http.bad_query", error(400), "A key or value of the query that means nothing.",
        why: "A misspelled key must not give other rows than were asked for.",
        fix: "Use the keys that the error names.";
    HTTP_BAD_BODY = "http.bad_body", error(400), "The body of the request breaks off, or is not framed as HTTP wants it.",
        why: "The connection ended, or a part of the body has no length.",
        fix: "Send it again; a client of your own should let its library frame the body.";
    HTTP_TOO_SLOW = "http.too_slow", error(408), "The body stopped coming.",
        why: "A request that is not read to its end holds memory that others need; between two parts there may be 30 seconds.",
        fix: "Send it again over a better line, or in smaller parts.";
    HTTP_BUSY = "http.busy", error(503, retryable), "Too many large bodies or answers are being sent at this moment.",
        why: "Bodies above 64 KiB that are not answered yet have at most 256 MiB together, and 160 MiB for one tenant. Answers above \
         64 KiB that are not read yet have at most 256 MiB.",
        fix: "Read the answers that are on their way, and try again.";
    HTTP_MISSING_VERSION = "http.missing_version", error(400), "A change without the version of the row that was changed.",
        why: "Without it two people could overwrite each other unseen.",
        fix: "Send `version` as it was read.";
    HTTP_DIGEST_MISMATCH = "http.digest_mismatch", error(400), "The body is not what `content-digest` says.",
        why: "It was changed on its way.",
        fix: "Send it again.";
    HTTP_TOO_LARGE = "http.too_large", error(413), "The body is too large.",
        why: "Bodies are bounded.",
        fix: "Send less at once.";
    HTTP_NO_ROUTE = "http.no_route", error(404), "There is nothing at this path.",
        why: "The path or the method is wrong.",
        fix: "`docs/http-api.md` lists what is there.";
    HTTP_FOREIGN_HOST = "http.foreign_host", error(403), "The request names another host, or comes from another site's page.",
        why: "A page in a browser must not reach the dev host.",
        fix: "Use 127.0.0.1 or localhost, as printed.";
    PLUGIN_NOT_FOUND = "plugin.not_found", error(404), "There is no such plugin or version.",
        why: "It was never uploaded, or was purged.",
        fix: "Upload it; `GET /api/v1/admin/plugins` lists what is there.";
    PLUGIN_INVALID = "plugin.invalid", error(422), "The package breaks the platform's rules.",
        why: "The same rules as `erp-plugin check --profile platform`.",
        fix: "Fix what `details.problems` names, pack and upload again.";
    PLUGIN_INVALID_STATE = "plugin.invalid_state", error(409), "The plugin is not in the state that this needs.",
        why: "Tables come with install, calls with enable.",
        fix: "Do the step that the error names first.";
    PLUGIN_VERSION_TAKEN = "plugin.version_taken", error(409), "This version was uploaded before with another content.",
        why: "Versions are never used twice.",
        fix: "Raise `version` in plugin.toml, build and pack again.";
    PLUGIN_DOWNGRADE = "plugin.downgrade", error(409), "A newer version is there already.",
        why: "An older version does not know the newer one's data.",
        fix: "Raise the version; what was good in the old one can come back in a new one.";
    PLUGIN_DEPENDENCY = "plugin.dependency", error(409), "A plugin that this one needs is not there, or of another version.",
        why: "`[[dependencies.plugins]]` names it.",
        fix: "Install and enable that plugin first.";
    PLUGIN_PLATFORM = "plugin.platform_version", error(409), "The plugin needs another version of the platform.",
        why: "`min_platform_version` or `[dependencies] platform` of its manifest says which.",
        fix: "Update the platform, or take a version of the plugin that is made for this one. A dev host is told its version with `dev --platform-version`.";
    PLUGIN_DEPENDENTS = "plugin.dependents", error(409), "Other plugins need this one.",
        why: "They would stop working.",
        fix: "Disable or uninstall those first.";
    PLUGIN_CANARY = "plugin.canary", error(409), "A share of the calls cannot go to this build.",
        why: "Its tables are not those that are there: both builds would work on the same rows.",
        fix: "Put the generation in place as a whole, or take one whose entities are the same.";
    ENTITY_CLOSED = "entity.closed", error(403), "Rows of this entity do not come in from files, or go out to them.",
        why: "The manifest opens each entity for that.",
        fix: "Write `importable = true` or `exportable = true` for the entity.";
    IMPORT_BAD_CSV = "import.bad_csv", error(400), "The file cannot be read as CSV of this entity.",
        why: "The first line names the fields, by their names or labels.",
        fix: "Fix the line that the error names; an export shows the form.";
    IMPORT_TOO_LARGE = "import.too_large", error(422), "Too many rows at once.",
        why: "An import is one unit of work.",
        fix: "Bring the rows in several files.";
    EXPORT_TOO_LARGE = "export.too_large", error(422), "Too many rows match.",
        why: "An export is bounded, as on the platform.",
        fix: "Narrow the filter, or go through the pages of the list.";
    DEV_NO_CALL = "dev.no_call", error(404), "The dev host does not keep this call any more.",
        why: "It keeps the latest ones.",
        fix: "Make the call again; `dev --record FILE` keeps all of them.";
    DEV_NO_CALLS = "dev.no_calls", error(409), "No plugin was called there.",
        why: "A scenario is made from calls of a plugin; a request that only touched rows called none.",
        fix: "Choose an action, an event or another call of the plugin.";
    DEV_NO_PROJECT = "dev.no_project", error(409), "The plugin comes from a package.",
        why: "Its scenarios are in its project, which this dev host does not follow.",
        fix: "Start `erp-plugin dev` in the project.";
    DEV_NO_GENERATION = "dev.no_generation", error(404), "The dev host does not keep this generation any more.",
        why: "It keeps the latest ones, since it started.",
        fix: "Take one that `/_dev/projects` lists.";
    DEV_GENERATION = "dev.generation", error(409), "The generation cannot be put in place.",
        why: "The rows do not follow it, or it does not start.",
        fix: "The message says why; the generation that served serves on.";
    DEV_NOTHING_ASKED = "dev.nothing_asked", error(409), "Nothing waits for this answer.",
        why: "Only a change that would lose rows asks.",
        fix: "Look at the project's stage in `/_dev/projects`.";
    DEV_REPLAY = "dev.replay", error(409), "The call cannot be replayed.",
        why: "Its recording is not of this plugin, or cannot be read by it.",
        fix: "The message says which.";
    PLUGIN_TABLE_TAKEN = "plugin.table_taken", error(409), "A table of this plugin belongs to another plugin.",
        why: "Ids and entities may be cut differently and still give one name.",
        fix: "Rename the entity, or take another id.";
    PLUGIN_LOAD = "plugin.load", error(422), "The component cannot be loaded.",
        why: "It is damaged, or for another version of the host.",
        fix: "Build and pack it again with this version.";
    PLUGIN_START = "plugin.start", error(422), "The plugin does not start.",
        why: "Its `init` failed. Where an older version was running, it goes on.",
        fix: "Read the message, mend `init`, and upload again.";
    ACTION_UNAVAILABLE = "action.unavailable", error(409), "The button cannot be used with this row as it is.",
        why: "Its `when` does not hold.",
        fix: "Change the row first.";
    MIGRATION_ROWS_AT_STAKE = "migration.rows_at_stake", error(409), "Rows would lose values, or have values that the new version does not take.",
        why: "An upgrade never loses or bends what a tenant has stored without a step that says so.",
        fix: "Write a step in `[[migrations]]` for the field that the error names (`change_type` with `otherwise`, `backfill`, \
         `drop_field`), or mend the rows. `erp-plugin migrate rehearse` shows it before it happens.";
    MIGRATION_SCHEMA_VERSION = "migration.schema_version", error(409), "Rows must follow, and `schema_version` was not raised.",
        why: "Migrations are chosen by the schema version that the rows have.",
        fix: "Raise `schema_version` in `[schema]` by one, and the version too.";
    MIGRATION_IN_USE = "migration.in_use", error(409, retryable), "Another host uses the PostgreSQL database that is to be upgraded.",
        why: "It would go on writing rows as the old version has them.",
        fix: "Stop the other host, upgrade, and start it again.";
    MIGRATION_NO_ROLLBACK = "migration.no_rollback", error(409), "There is no upgrade that could be taken back.",
        why: "The plugin did not come by an upgrade, or its old values were not kept (`reversible = false`).",
        fix: "Publish a new version that puts things right.";
    EVENT_NOT_FOUND = "event.not_found", error(404), "There is no such event.",
        why: "The id is wrong.",
        fix: "`GET /_dev/events` lists the newest ones.";
    EVENT_BAD_NAME = "event.bad_name", error(400), "This is no name of an event.",
        why: "Events are words joined by dots.",
        fix: "Write it like `inventory.low_stock`.";
    EVENT_UNHEARD = "event.unheard", error(422), "No running plugin subscribes to this event.",
        why: "An event that nobody hears changes nothing: a misspelled name would look like success.",
        fix: "Correct the name, enable the plugin that hears it, or say that nobody is meant to: `\"heard\": 0`.";
    NODE_NOT_FOUND = "node.not_found", error(404), "There is no such node, or not in this version.",
        why: "The kind is misspelled, or the plugin that brings it is not running.",
        fix: "`erp-plugin node list` shows the nodes that there are, with their versions.";
    NODE_BAD_REQUEST = "node.bad_request", error(400), "The node cannot be run with this.",
        why: "A property is missing or holds another kind of value, or items come in by a port that the node does not have.",
        fix: "`details.problems` names each property; `erp-plugin node list KIND` shows what the node takes.";
    NODE_BAD_OUTPUT = "node.bad_output", error(502), "The node gave items to a port that it does not declare.",
        why: "Nothing is connected there: the items would be lost.",
        fix: "Add the port to `outputs` of its `[[nodes]]`, or give the items to another one.";
    NODE_REFUSED = "node.refused", error(422), "The plugin's nodes cannot be served.",
        why: "Another running plugin brings the same kind, or the component defines it otherwise than the manifest.",
        fix: "Name the node after yourself (`acme.…`); let `erp-plugin generate` write the definitions.";
    HTTP_MISSING_CONTENT_TYPE = "http.missing_content_type", error(400), "The request does not say what its bytes are.",
        why: "A processor decides by the media type what it makes of them.",
        fix: "Send `content-type: image/png`, or whatever it is.";
    REGISTRY_NONE = "registry.none", error(404), "This platform has none of it.",
        why: "It signs no receipts, or nothing was revoked yet.",
        fix: "Ask the platform that you publish to; a dev host signs receipts.";
    REGISTRY_BAD_REVOCATION = "registry.bad_revocation", error(422), "This revokes nothing.",
        why: "A key or a package is not named as it must be, or the reason is missing.",
        fix: "Send `{\"keys\": [{\"keyid\", \"reason\"}], \"packages\": [{\"sha256\", \"reason\"}]}`.";
    REGISTRY_BAD_ROTATION = "registry.bad_rotation", error(422), "This key does not take the place of another one.",
        why: "Both keys must sign that the new one follows the old one, and the old one must be trusted here.",
        fix: "Make it with `erp-plugin key rotate`, and send the file as it is.";
    REGISTRY_BAD_STATE = "registry.bad_state", error(500), "What the platform keeps of its signatures cannot be used.",
        why: "A list in its state was signed by another key, or the key does not sign.",
        fix: "Bring `registry.pem` back into the state folder as it was.";
    PLUGIN_NO_PROCESSOR = "plugin.no_processor", error(404), "The plugin processes nothing.",
        why: "Its world exports no processor.",
        fix: "Ask a plugin whose world is `processor-plugin` or `full-plugin`.";
}
