//! Facts about the platform beyond the host API: its version, and the events of its own modules.

/// The version of the platform that this tool emulates. `min_platform_version` and `[dependencies] platform` are
/// compared with it unless another version is configured. It is raised with the host API and the platform's routes.
pub const PLATFORM_VERSION: &str = "1.0.0";

/// Events that the platform's own modules publish, each with an example of a payload. The names are those of the
/// platform. Little is published about the payloads, so they are assumptions (see `docs/dev-host.md`).
pub const BASE_EVENTS: [(&str, &str); 12] = [
    ("user.created", r#"{"user_id":"<user>","name":"李雷"}"#),
    ("user.updated", r#"{"user_id":"<user>","name":"李雷"}"#),
    ("user.deleted", r#"{"user_id":"<user>"}"#),
    ("department.created", r#"{"department_id":"sales","name":"销售部","parent_id":null}"#),
    ("department.updated", r#"{"department_id":"sales","name":"销售一部","parent_id":null}"#),
    ("role.created", r#"{"role":"clerk","permissions":[]}"#),
    ("role.updated", r#"{"role":"clerk","permissions":[]}"#),
    ("workflow.instance.started", r#"{"instance_id":"<id>","workflow":"approval","entity":"","row_id":"<id>"}"#),
    ("workflow.instance.completed", r#"{"instance_id":"<id>","workflow":"approval","outcome":"approved"}"#),
    ("workflow.task.created", r#"{"task_id":"<id>","instance_id":"<id>","assignee":"<user>"}"#),
    ("workflow.task.completed", r#"{"task_id":"<id>","instance_id":"<id>","outcome":"approved"}"#),
    ("message.sent", r#"{"message_id":"<id>","to":"<user>","channel":"inbox","subject":""}"#),
];
