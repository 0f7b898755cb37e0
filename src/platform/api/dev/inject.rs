//! `/_dev/faults`, `/_dev/clock`, `/_dev/limits`, `/_dev/quirks`: faults and settings that a developer injects.

use std::time::Duration;

use erp_manifest::document::did_you_mean;
use erp_manifest::{Moment, Timeout};
use erp_runtime::{Fault, FaultAction, FaultPlace, LIMITS, LimitOverrides, Times};
use serde_json::{Map, Value, json};

use super::super::rows::bad_query;
use super::super::{Answer, Request, Response};
use super::DevRoutes;
use crate::PlatformError;

impl DevRoutes<'_> {
    pub(in crate::api) fn plan_fault(&mut self, request: &Request) -> Answer {
        let fault = fault_of(&request.object()?)?;
        self.platform.surroundings().add_fault(fault);
        Ok(self.faults_shown())
    }

    pub(in crate::api) fn change_clock(&mut self, request: &Request) -> Answer {
        let body = request.object()?;
        let by = clock_shift(&body, self.platform.now(), self.platform.surroundings().ahead_ms())?;
        self.platform.surroundings().shift(by);
        Ok(self.clock_shown())
    }

    pub(in crate::api) fn change_limits(&mut self, request: &Request) -> Answer {
        let mut limits = LimitOverrides::default();
        for (name, value) in request.object()? {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            limits.add(&name, &text).map_err(|error| bad_query(error.to_string()))?;
        }
        self.platform.call_settings.limits = limits;
        Ok(Response::empty(204))
    }

    pub(in crate::api) fn change_quirks(&mut self, request: &Request) -> Answer {
        for (key, value) in request.object()? {
            let wanted = value.as_bool().ok_or_else(|| bad_query(format!("`{key}` is true or false")))?;
            match key.as_str() {
                "imitate" => self.platform.surroundings().imitate_quirks(wanted),
                "double_events" => self.platform.call_settings.delivers_events_twice = wanted,
                _ => return Err(bad_query(format!("`{key}` is not known here: imitate, double_events"))),
            }
        }
        Ok(self.quirks_shown())
    }

    pub(in crate::api) fn faults_shown(&self) -> Response {
        let faults: Vec<Value> = self.platform.surroundings().faults().iter().map(fault_json).collect();
        Response::json(200, json!({ "faults": faults, "places": FaultPlace::names().collect::<Vec<_>>() }))
    }

    pub(in crate::api) fn clock_shown(&self) -> Response {
        Response::json(
            200,
            json!({ "now": self.platform.now().to_string(), "ahead_ms": self.platform.surroundings().ahead_ms() }),
        )
    }

    pub(in crate::api) fn limits_shown(&self) -> Response {
        let set = &self.platform.call_settings.limits;
        let limits = LIMITS.iter().map(|limit| {
            json!({ "name": limit.name, "default": limit.default, "set": set.value(limit.name), "bounds": limit.meaning })
        });
        Response::json(200, limits.collect())
    }

    pub(in crate::api) fn quirks_shown(&self) -> Response {
        Response::json(
            200,
            json!({ "imitate": self.platform.surroundings().imitates_quirks(), "double_events": self.platform.call_settings.delivers_events_twice }),
        )
    }
}

/// Reads `{"at": "db.insert", "subject", "nth", "always", "error" | "delay" | "fuel"}`, with the words of scenarios.
fn fault_of(body: &Map<String, Value>) -> Result<Fault, PlatformError> {
    let known = ["at", "subject", "nth", "always", "error", "delay", "fuel"];
    if let Some(key) = body.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(bad_query(format!("a fault has no `{key}`; known: {}", known.join(", "))));
    }
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let at = text("at")
        .ok_or_else(|| bad_query("a fault needs `at`: a call of the host such as db.insert, *, or commit"))?;
    let subject = text("subject").filter(|subject| !subject.is_empty());
    let place = FaultPlace::find(&at, subject).ok_or_else(|| {
        let help = did_you_mean(&at, FaultPlace::names())
            .unwrap_or_else(|| "name a function of the host such as db.insert, `*` or `commit`".to_owned());
        bad_query(format!("no fault can hit `{at}`; {help}"))
    })?;
    let action = match (text("error"), text("delay"), body.get("fuel")) {
        (Some(error), None, None) => FaultAction::Fail(error),
        (None, Some(delay), None) => FaultAction::Delay(length(&delay)?),
        (None, None, Some(_)) => FaultAction::EndFuel,
        (None, None, None) => FaultAction::Fail("the database failed, as a developer wanted it".to_owned()),
        _ => return Err(bad_query("a fault does one thing: `error`, `delay` or `fuel`")),
    };
    if place == FaultPlace::Commit && !matches!(action, FaultAction::Fail(_)) {
        return Err(bad_query("a commit can only fail: write `error`"));
    }
    let nth = body.get("nth").map_or(Some(1), |nth| nth.as_u64().filter(|nth| *nth > 0));
    let nth = nth.ok_or_else(|| bad_query("`nth` counts from 1"))?;
    let always = body.get("always").and_then(Value::as_bool).unwrap_or(false);
    Ok(Fault { place, nth, times: if always { Times::Always } else { Times::Once }, action })
}

fn fault_json(fault: &Fault) -> Value {
    let subject = match &fault.place {
        FaultPlace::Commit => &None,
        FaultPlace::HostCall { subject, .. } => subject,
    };
    let mut shown = json!({ "at": fault.place.name(), "subject": subject, "nth": fault.nth, "always": fault.times == Times::Always });
    match &fault.action {
        FaultAction::Fail(message) => shown["error"] = json!(message),
        FaultAction::Delay(time) => shown["delay"] = json!(format!("{}ms", time.as_millis())),
        FaultAction::EndFuel => shown["fuel"] = json!(0),
    }
    shown
}

fn length(text: &str) -> Result<Duration, PlatformError> {
    let length = Timeout::parse(text).map(|length| length.0);
    length.ok_or_else(|| bad_query(format!("`{text}` is no length of time such as 30m, 6s or 250ms")))
}

/// Reads `{"advance": "30m"}`, `{"set": "2026-12-31T23:59:00+08:00"}` or `{"reset": true}`; returns milliseconds.
fn clock_shift(body: &Map<String, Value>, now: Moment, ahead_ms: i64) -> Result<i64, PlatformError> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    match (text("advance"), text("set"), body.get("reset").and_then(Value::as_bool)) {
        (Some(by), None, None) => {
            let (sign, by) = by.strip_prefix('-').map_or((1, by), |rest| (-1, rest));
            let by = days(by).map_or_else(|| length(by), Ok)?;
            Ok(sign * i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
        }
        (None, Some(moment), None) => {
            let wanted = Moment::parse(moment);
            let wanted = wanted.ok_or_else(|| bad_query(format!("`{moment}` is no moment with an offset")))?;
            Ok(wanted.unix_ms - now.unix_ms)
        }
        (None, None, Some(true)) => Ok(-ahead_ms),
        _ => Err(bad_query("the body is {\"advance\": \"30m\"}, {\"set\": \"<moment>\"} or {\"reset\": true}")),
    }
}

/// Parses a number of days such as `3d`, a unit that only the clock accepts.
fn days(text: &str) -> Option<Duration> {
    let days: u64 = text.strip_suffix('d')?.parse().ok()?;
    Some(Duration::from_secs(days.checked_mul(86_400)?))
}
