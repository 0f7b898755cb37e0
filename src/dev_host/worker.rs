//! The one thread that answers what the platform answers. What waits together and only touches rows is committed
//! together: the disk is waited for once, and everybody hears of it afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Weak;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use serde_json::json;
use tokio::sync::oneshot;

use super::call_book::Asked;
use super::server::Shared;
use crate::platform::{Activity, Body, Platform, PlatformError, Request, Response};

/// Requests that wait at the most.
pub(super) const QUEUE: usize = 1_024;
/// Requests that are committed together at the most.
const GROUP: usize = 128;

/// Requests whose clients are woken together at the most, where nothing is committed: waking a thread costs as much as
/// reading a row.
const TOLD_TOGETHER: usize = 8;

/// A request that waits.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) started: Instant,
    pub(super) tell: oneshot::Sender<Response>,
}

/// A job and what came of it.
struct Done {
    job: Job,
    response: Response,
    activity: Activity,
}

/// Answers until the host stops.
pub(super) fn work(waiting: &Receiver<Job>, shared: &Weak<Shared>) {
    while let Ok(first) = waiting.recv() {
        let Some(shared) = shared.upgrade() else { return };
        let mut jobs = vec![first];
        while jobs.len() < GROUP
            && let Ok(job) = waiting.try_recv()
        {
            jobs.push(job);
        }
        answer_all(&shared, jobs);
    }
}

/// In the order in which they came; those that can be are committed with their neighbours. Nobody who only asks waits for
/// the disk of whoever writes, and whoever else works with the platform has a turn in between.
fn answer_all(shared: &Shared, jobs: Vec<Job>) {
    let mut group: Vec<Job> = Vec::new();
    for job in jobs {
        if job.request.only_touches_rows() {
            group.push(job);
            continue;
        }
        answer_group(shared, std::mem::take(&mut group));
        let done = answer_one(&mut shared.platform(), job);
        tell(shared, done);
    }
    answer_group(shared, group);
}

fn answer_group(shared: &Shared, jobs: Vec<Job>) {
    let writes = jobs.iter().filter(|job| job.request.method != "GET").count();
    let mut platform = shared.platform();
    if writes < 2 || !platform.begin_group() {
        drop(platform);
        let mut jobs = jobs.into_iter().peekable();
        while let Some(first) = jobs.next() {
            let mut together = vec![answer_one(&mut shared.platform(), first)];
            // Whoever only asks does not wait for the disk of whoever writes.
            while together.len() < TOLD_TOGETHER
                && let Some(next) = jobs.next_if(|job| job.request.method == "GET")
            {
                together.push(answer_one(&mut shared.platform(), next));
            }
            for done in together {
                tell(shared, done);
            }
        }
        return;
    }
    let mut together: Vec<Done> = jobs.into_iter().map(|job| answer_one(&mut platform, job)).collect();
    let ended = platform.end_group();
    if ended.is_err() {
        // None of it was kept, so nobody may be told that it was.
        for one in &mut together {
            one.activity = Activity::default();
        }
    }
    // What the group told is delivered once it is kept, and before anybody hears: plugins never act on what may go.
    let delivered = ended.and_then(|()| platform.deliver_events().map_err(PlatformError::from));
    let activity = platform.take_activity();
    drop(platform);
    if let Err(error) = delivered {
        for one in &mut together {
            one.response = Response::json(error.status, error.to_json());
        }
    }
    for done in together {
        tell(shared, done);
    }
    shared.note(None, activity);
}

/// Notes what a request did, and answers it: a client that asks next finds its call.
fn tell(shared: &Shared, done: Done) {
    let asked = asked_of(&done);
    shared.note(Some(asked), done.activity);
    // A client that went away hears nothing.
    let _ = done.job.tell.send(done.response);
}

fn answer_one(platform: &mut Platform, job: Job) -> Done {
    // A bug in one request must not end the others; every unit of work begins with a clean transaction.
    let answered = catch_unwind(AssertUnwindSafe(|| platform.handle(&job.request)));
    let response = answered.unwrap_or_else(|_| {
        let message = "the dev host failed on this request; its log says more";
        Response::json(500, json!({ "code": "host.bug", "message": message }))
    });
    Done { job, response, activity: platform.take_activity() }
}

fn asked_of(done: &Done) -> Asked {
    let request = &done.job.request;
    let error = match &done.response.body {
        Body::Json(body) if done.response.status >= 400 => Some(body.clone()),
        _ => None,
    };
    Asked {
        method: request.method.clone(),
        path: request.path.clone(),
        status: done.response.status,
        request_id: request.request_id.clone().unwrap_or_default(),
        tenant: request.identity.as_ref().map(|user| user.tenant.to_string()),
        user: request.identity.as_ref().map(|user| user.caller.name.clone()),
        microseconds: u64::try_from(done.job.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        error,
    }
}
