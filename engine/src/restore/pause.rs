//! Holding the engine still between two tiles.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a cancel may go unheard during a pause.
const PATIENCE: Duration = Duration::from_millis(50);

/// A switch that the engine thread looks at before every tile.
#[derive(Debug, Default)]
pub(super) struct Pause {
    on: Mutex<bool>,
    changed: Condvar,
}

impl Pause {
    /// Turns the pause on or off.
    pub fn set(&self, on: bool) {
        *self.on.lock().unwrap_or_else(PoisonError::into_inner) = on;
        self.changed.notify_all();
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        *self.on.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the pause is on and `stopped` is false; answers how long that was.
    pub fn wait(&self, stopped: impl Fn() -> bool) -> Duration {
        let start = Instant::now();
        let mut on = self.on.lock().unwrap_or_else(PoisonError::into_inner);
        if !*on {
            return Duration::ZERO;
        }
        while *on && !stopped() {
            let woken = self.changed.wait_timeout(on, PATIENCE);
            on = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        start.elapsed()
    }
}
