//! The window before the work: threads that compute take the processor that the window leaves,
//! so that it stays smooth on a computer without a graphics card.
//!
//! Without a window nothing steps back: who restores on the command line waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};

/// Below normal: niceness 13 on Linux, a twentieth of the window's weight where both want the
/// processor; "lowest", the step below "below normal", on Windows.
const BEHIND: u8 = 13;

/// Whether this process has a window.
static WINDOW: AtomicBool = AtomicBool::new(false);

/// How far a thread stands back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Less weight than the window's threads: reading, saving, handing work to a device.
    Behind,
    /// Only what the window's threads leave: the pool that computes for seconds at a stretch.
    Last,
}

/// Says that this process has a window: threads that compute step back from now on. Later than
/// the first computation it has no effect on the threads of that.
pub fn compute_behind_the_window() {
    WINDOW.store(true, Ordering::Relaxed);
    let pool = rayon::ThreadPoolBuilder::new().start_handler(|_| stand_back(Place::Last));
    if let Err(error) = pool.build_global() {
        tracing::debug!("computing threads keep their priority: {error}");
    }
}

/// Steps back with the calling thread, if this process has a window.
pub fn step_back() {
    if WINDOW.load(Ordering::Relaxed) {
        stand_back(Place::Behind);
    }
}

/// Steps back with the calling thread.
fn stand_back(place: Place) {
    if place == Place::Last && idle_class() {
        return;
    }
    let wanted = ThreadPriorityValue::try_from(BEHIND).map(ThreadPriority::Crossplatform);
    let done = wanted.map(|priority| set_current_thread_priority(priority).is_ok());
    if done != Ok(true) {
        tracing::debug!("a thread keeps its priority");
    }
}

/// Puts the calling thread into Linux' idle class (`SCHED_IDLE`): a three-hundredth of the weight
/// of an ordinary thread, and one that wakes up takes the processor from it at once, which
/// niceness alone does not make sure of.
///
/// Only the pool goes there. It holds no lock that the window waits for. A thread that hands work
/// to a graphics device needs little of the processor, but needs that soon. Beside other programs
/// that keep all cores busy the pool still gets its share where the system shares between
/// programs first, as desktops do (autogroups, systemd's scopes); elsewhere it gets what they
/// leave. There is no way back for a thread without privileges.
#[cfg(target_os = "linux")]
fn idle_class() -> bool {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
        thread_native_id, thread_schedule_policy,
    };
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // It also sets the niceness to 0, which fails where the program was started with another;
    // in this class niceness is nothing.
    let asked = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    let done = thread_schedule_policy() == Ok(idle);
    if !done {
        tracing::debug!("a thread does not get into the idle class: {asked:?}");
    }
    done
}

/// Elsewhere a lower priority is enough: Windows gives the processor to the higher one at once,
/// and macOS keeps its background class on the slow cores.
#[cfg(not(target_os = "linux"))]
fn idle_class() -> bool {
    false
}

/// A thread for work behind the window.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::spawn(|| {
        step_back();
        work()
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Scheduling class (0 ordinary, 5 idle) and niceness of the calling thread, as the system
    /// has them.
    fn standing() -> (u32, i32) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // Behind the name, which may hold spaces, comes the third field.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        (
            fields[41 - 3].parse().unwrap(),
            fields[19 - 3].parse().unwrap(),
        )
    }

    fn after(work: fn()) -> (u32, i32) {
        let thread = move || {
            work();
            standing()
        };
        std::thread::spawn(thread).join().unwrap()
    }

    #[test]
    fn threads_stand_where_they_are_put_and_without_a_window_where_they_were() {
        const IDLE: u32 = 5;
        let (class, niceness) = after(|| ());
        assert_eq!(after(step_back), (class, niceness));
        assert_eq!(after(|| stand_back(Place::Last)).0, IDLE);
        let behind = after(|| stand_back(Place::Behind));
        assert!(behind.0 == class && behind.1 > niceness, "{behind:?}");
    }
}
