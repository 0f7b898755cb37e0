//! A function for each button of the manifest.

#[rustfmt::skip]
mod erp;

use erp::entities::{LeaveRequest, LeaveRequestStatus};
use erp::events::Approved;
use erp::{Decimal, Entity, Fields, Id, Patch, Result, refuse};
use serde_json::Value;

/// Days that nobody may approve at once.
const MOST_DAYS: i64 = 20;

pub struct Plugin;

impl erp::Plugin for Plugin {}

impl erp::Actions for Plugin {
    fn submit(id: Id<LeaveRequest>, _: Fields) -> Result<Value> {
        change(
            &id,
            LeaveRequest::patch().set(LeaveRequest::STATUS, LeaveRequestStatus::Submitted),
        )
    }

    fn approve(id: Id<LeaveRequest>, _: Fields) -> Result<Value> {
        let request = LeaveRequest::get(&id)?;
        if request.days > Decimal::from(MOST_DAYS) {
            return Err(refuse(
                "leave.too_long",
                format!("{} days are more than {MOST_DAYS}", request.days),
            ));
        }
        Approved {
            request_id: id.of(),
            days: request.days,
        }
        .publish()?;
        change(
            &id,
            LeaveRequest::patch().set(LeaveRequest::STATUS, LeaveRequestStatus::Approved),
        )
    }

    fn reject(id: Id<LeaveRequest>, input: Fields) -> Result<Value> {
        let answer: Option<String> = input.get("answer")?;
        let answer =
            answer.ok_or_else(|| refuse("leave.no_answer", "say why it is rejected: `answer`"))?;
        let patch = LeaveRequest::patch().set(LeaveRequest::STATUS, LeaveRequestStatus::Rejected);
        change(&id, patch.set(LeaveRequest::ANSWER, answer))
    }
}

/// Changes a request as it is now, and gives it as it is then.
fn change(id: &Id<LeaveRequest>, patch: Patch<LeaveRequest>) -> Result<Value> {
    Ok(LeaveRequest::get(id)?.update(patch)?.to_value())
}

#[cfg(test)]
mod tests {
    use super::erp::entities::NewLeaveRequest;
    use super::erp::{Actions, Date, mock};
    use super::*;

    #[test]
    fn a_long_leave_is_approved_by_nobody() -> Result<()> {
        mock::start();
        let request = LeaveRequest::insert(&NewLeaveRequest::new(
            "旅行",
            Date::new(2026, 5, 1)?,
            Decimal::from(21),
        ))?;
        let refused = Plugin::approve(request.id, Fields::default());
        assert_eq!(
            refused.map_err(|error| error.code),
            Err("leave.too_long".to_owned())
        );
        Ok(())
    }
}
