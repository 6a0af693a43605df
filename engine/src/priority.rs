//! The window before the work: threads that compute take the processor that the window leaves,
//! so that it stays smooth on a computer without a graphics card.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};

/// Below normal: niceness 13 on Linux, a twentieth of the window's weight where both want the
/// processor; "lowest", the step below "below normal", on Windows.
const BEHIND: u8 = 13;

/// Whether this process has a window.
static WINDOW: AtomicBool = AtomicBool::new(false);

/// Says that this process has a window: threads that compute step back from now on. Later than
/// the first computation it has no effect on the threads of that.
pub fn compute_behind_the_window() {
    WINDOW.store(true, Ordering::Relaxed);
    let pool = rayon::ThreadPoolBuilder::new().start_handler(|_| step_back());
    if let Err(error) = pool.build_global() {
        tracing::debug!("computing threads keep their priority: {error}");
    }
}

/// Steps back with the calling thread, if this process has a window.
pub fn step_back() {
    if !WINDOW.load(Ordering::Relaxed) {
        return;
    }
    let wanted = ThreadPriorityValue::try_from(BEHIND).map(ThreadPriority::Crossplatform);
    let done = wanted.map(|priority| set_current_thread_priority(priority).is_ok());
    if done != Ok(true) {
        tracing::debug!("a thread keeps its priority");
    }
}

/// A thread for work behind the window.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::spawn(|| {
        step_back();
        work()
    })
}
