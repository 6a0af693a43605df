//! The window before the work: on the processor, pictures are restored with what the window
//! leaves, so that it stays smooth on a computer without a graphics card.

/// A third of the window's weight where both want the processor: enough for it to be smooth, and
/// where the desktop is drawn by the processor too, enough for the work to get on.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Starts the threads that compute, with less weight than the window's own. Later than the
/// first computation this has no effect.
pub fn compute_behind_the_window() {
    let pool = rayon::ThreadPoolBuilder::new().start_handler(|_| step_back());
    if let Err(error) = pool.build_global() {
        tracing::debug!("computing threads keep their priority: {error}");
    }
}

/// Gives the calling thread less weight.
#[cfg(target_os = "linux")]
fn step_back() {
    // On Linux a priority belongs to a thread, here the calling one.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!("a computing thread keeps its priority: {error}");
    }
}

/// Other systems favour the window in front by themselves.
#[cfg(not(target_os = "linux"))]
fn step_back() {}
