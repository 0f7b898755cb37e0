//! Threads that run guests for an async program: a call is a future, and its executor never blocks.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::{Interrupt, lock};

type Job = Box<dyn FnOnce() + Send>;

/// Threads that wait for jobs. They end when this is dropped and all jobs are done.
pub(super) struct Workers {
    jobs: Sender<Job>,
}

impl Workers {
    /// Starts the threads, at least one.
    pub(super) fn new(threads: usize) -> std::io::Result<Workers> {
        let (jobs, waiting) = channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads.max(1) {
            let waiting = Arc::clone(&waiting);
            std::thread::Builder::new().name(format!("plugin-{number}")).spawn(move || work(&waiting))?;
        }
        Ok(Workers { jobs })
    }

    /// Runs work on the next free thread. Dropping the future sets the interrupt; work that has not begun is skipped.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        interrupt: Interrupt,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Pending<T> {
        let slot = Arc::new(Mutex::new(Slot { outcome: Outcome::Pending, waker: None }));
        let (own, ends) = (Arc::clone(&slot), interrupt.clone());
        let job = Box::new(move || {
            // The caller has dropped the future.
            if ends.is_set() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(work));
            let waker = {
                let mut slot = lock(&own);
                slot.outcome = outcome.map_or(Outcome::Panicked, Outcome::Done);
                slot.waker.take()
            };
            // An executor may poll immediately or panic; neither may end this thread.
            drop(catch_unwind(AssertUnwindSafe(|| waker.map(Waker::wake))));
        });
        // Sending cannot fail: the threads live as long as `self`.
        let _ = self.jobs.send(job);
        Pending { slot, interrupt, is_done: false }
    }
}

fn work(waiting: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting: the next thread in line gets the next job.
        let job = lock(waiting).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

struct Slot<T> {
    outcome: Outcome<T>,
    waker: Option<Waker>,
}

/// The state of the work.
enum Outcome<T> {
    Pending,
    Done(T),
    Panicked,
    /// The future has returned the result.
    Taken,
}

/// The future of work on another thread.
pub(super) struct Pending<T> {
    slot: Arc<Mutex<Slot<T>>>,
    interrupt: Interrupt,
    is_done: bool,
}

impl<T> Future for Pending<T> {
    /// None if the work panicked.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let outcome = {
            let mut slot = lock(&self.slot);
            if matches!(slot.outcome, Outcome::Pending) {
                slot.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            std::mem::replace(&mut slot.outcome, Outcome::Taken)
        };
        self.is_done = true;
        Poll::Ready(match outcome {
            Outcome::Done(outcome) => Some(outcome),
            Outcome::Pending | Outcome::Panicked | Outcome::Taken => None,
        })
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if !self.is_done {
            self.interrupt.set();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn wait<T>(mut pending: Pending<T>) -> Option<T> {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(outcome) = Pin::new(&mut pending).poll(&mut context) {
                return outcome;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn work_is_done_by_as_many_threads_as_were_asked_for() {
        let workers = Workers::new(3).unwrap();
        let meet = Arc::new(std::sync::Barrier::new(3));
        let pending: Vec<Pending<usize>> = (0..3)
            .map(|number| {
                let meet = Arc::clone(&meet);
                // With fewer than three threads the barrier would never open.
                workers.spawn(Interrupt::default(), move || {
                    meet.wait();
                    number
                })
            })
            .collect();
        let done: Vec<_> = pending.into_iter().map(wait).collect();
        assert_eq!(done, [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn a_panic_ends_its_own_work_and_whoever_leaves_takes_work_along() {
        let workers = Workers::new(1).unwrap();
        assert_eq!(wait(workers.spawn(Interrupt::default(), || -> u8 { panic!("on purpose") })), None);
        let (gate, interrupt) = (Arc::new(std::sync::Barrier::new(2)), Interrupt::default());
        let own = Arc::clone(&gate);
        let first = workers.spawn(Interrupt::default(), move || {
            own.wait();
        });
        let never = workers.spawn(interrupt.clone(), || panic!("nobody waits for this"));
        drop(never);
        assert!(interrupt.is_set());
        gate.wait();
        assert_eq!(wait(first), Some(()));
        assert_eq!(wait(workers.spawn(Interrupt::default(), || 7)), Some(7));
    }
}
