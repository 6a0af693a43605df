//! Batches made ahead of time on threads, handed out in the order of the steps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use super::TrainError;
use super::sampler::Batch;

/// Batches that wait for the device at most, besides those in the making.
const AHEAD: usize = 4;

type Made = (u64, Result<Batch, TrainError>);

/// A queue of batches filled by threads.
pub struct Batches {
    receiver: Option<Receiver<Made>>,
    /// Made, but not yet their turn.
    early: BTreeMap<u64, Result<Batch, TrainError>>,
    next: u64,
    last: u64,
    threads: Vec<JoinHandle<()>>,
}

impl Batches {
    /// Starts `threads` threads that make the batches of steps `first..=last`.
    pub fn start(
        make: impl Fn(u64) -> Result<Batch, TrainError> + Send + Sync + 'static,
        first: u64,
        last: u64,
        threads: usize,
    ) -> Self {
        let make = Arc::new(make);
        let claimed = Arc::new(AtomicU64::new(first));
        let (sender, receiver) = sync_channel::<Made>(AHEAD);
        let threads = (0..threads.max(1)).map(|_| {
            let (make, claimed, sender) = (make.clone(), claimed.clone(), sender.clone());
            std::thread::spawn(move || {
                loop {
                    let step = claimed.fetch_add(1, Ordering::Relaxed);
                    // The receiver is gone when training has stopped.
                    if step > last || sender.send((step, make(step))).is_err() {
                        return;
                    }
                }
            })
        });
        Self {
            threads: threads.collect(),
            receiver: Some(receiver),
            early: BTreeMap::new(),
            next: first,
            last,
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, TrainError>;

    /// The next step's batch; `None` after the last.
    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.last {
            return None;
        }
        let step = self.next;
        self.next += 1;
        loop {
            if let Some(batch) = self.early.remove(&step) {
                return Some(batch);
            }
            match self.receiver.as_ref()?.recv() {
                Ok((made, batch)) => drop(self.early.insert(made, batch)),
                Err(_) => {
                    let problem =
                        format!("the batch of step {step} was not made: a thread stopped");
                    return Some(Err(TrainError::Data(problem)));
                }
            }
        }
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        // Threads blocked on a full queue wake up when it is gone.
        self.receiver = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has been reported by `next`.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn batches_come_in_order_whatever_order_they_are_made_in() {
        let make = |step: u64| {
            std::thread::sleep(std::time::Duration::from_millis((step * 7) % 5));
            Ok(Batch {
                input: vec![step as f32],
                target: vec![],
            })
        };
        let mut batches = Batches::start(make, 5, 40, 7);
        for step in 5..=40 {
            assert_eq!(batches.next().unwrap().unwrap().input, [step as f32]);
        }
        assert!(batches.next().is_none());
    }

    #[test]
    fn stopping_early_and_failing_threads_do_not_hang() {
        let fail = |step: u64| match step {
            3 => Err(TrainError::Data("no".to_owned())),
            _ => Ok(Batch {
                input: vec![],
                target: vec![],
            }),
        };
        let mut batches = Batches::start(fail, 1, u64::MAX - 1, 3);
        assert!(batches.next().unwrap().is_ok() && batches.next().unwrap().is_ok());
        assert!(batches.next().unwrap().is_err());
        drop(batches);
        let mut batches = Batches::start(|_| panic!("on purpose"), 1, 9, 2);
        assert!(batches.next().unwrap().is_err());
    }
}
