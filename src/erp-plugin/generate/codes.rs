//! The error codes that generated code of guests returns; the files of `templates/toolkit/` name them.

use erp_manifest::codes::codes;

codes! {
    ASYNC = "plugin.async", error(422), "An export is asynchronous.",
        why: "A call has its answer when the export returns. What an `async` function does behind its first `await` would never happen.",
        fix: "Make the export an ordinary function: the host's functions answer at once.";
    BAD_JSON = "plugin.bad_json", error(422), "A text is no JSON object.",
        why: "The toolkit read the input of a button, the payload of an event or a row, and it is another thing.",
        fix: "Send an object, such as `{\"reason\": \"…\"}`.";
    BAD_VALUE = "plugin.bad_value", error(422), "A value is missing or of another kind.",
        why: "The toolkit reads values by the types of the manifest; this one does not fit, or the calendar has no such day.",
        fix: "Send the value that the error names.";
    DENIED = "plugin.denied", error(403), "The plugin asked for a permission that the user does not have.",
        why: "Its code asks before it acts: `permissions::….require()`.",
        fix: "Grant the role the permission that the error names.";
    EXCEPTION = "plugin.exception", error(500), "The plugin threw an exception that it did not catch.",
        why: "In TypeScript and Python the guard of the toolkit makes an error of it; the stack is in the log of the call.",
        fix: "Fix the line that the stack names, or throw `refuse(code, message)` where it is the caller's fault.";
}
