//! A picture's tiles, made on a thread of their own in the order in which the view wants them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use egui::Context;
use serpent_engine::priority::step_back;

use super::levels::{Key, Levels, Texels};

/// Tiles made but not yet taken; more would only fill memory.
const WAITING: usize = 8;

/// A finished tile.
pub(super) struct Made {
    pub key: Key,
    /// False for the preview, which the true tile replaces later.
    pub exact: bool,
    pub texels: Texels,
}

#[derive(Default)]
struct State {
    /// Most wanted first.
    wants: Vec<Key>,
    made: Vec<Made>,
    complete: bool,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half-done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The view's end of the thread; dropping it ends the thread.
pub(super) struct Loader(Arc<Shared>);

impl Loader {
    /// Starts with the preview, then averages the levels between wanted tiles.
    pub fn start(levels: Levels, ctx: Context) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread = std::thread::Builder::new().name("picture tiles".to_owned());
        if let Err(problem) = thread.spawn(move || work(levels, &theirs, &ctx)) {
            tracing::error!("a picture cannot be shown, there is no thread for it: {problem}");
        }
        Self(shared)
    }

    /// Replaces what is wanted, most wanted first.
    pub fn want(&self, mut wants: Vec<Key>) {
        let mut state = self.0.lock();
        wants.retain(|w| !state.made.iter().any(|m| m.exact && m.key == *w));
        if state.wants != wants {
            state.wants = wants;
            self.0.changed.notify_one();
        }
    }

    /// The next finished tile.
    pub fn take(&self) -> Option<Made> {
        let mut state = self.0.lock();
        if state.made.is_empty() {
            return None;
        }
        self.0.changed.notify_one();
        Some(state.made.remove(0))
    }

    /// Whether nothing is wanted, waiting or still averaged.
    pub fn is_idle(&self) -> bool {
        let state = self.0.lock();
        state.complete && state.wants.is_empty() && state.made.is_empty()
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_one();
    }
}

enum Next {
    Tile(Key),
    Average,
    End,
}

fn work(mut levels: Levels, shared: &Shared, ctx: &Context) {
    step_back();
    let deliver = |key: Key, exact: bool, texels: Texels| {
        let mut state = shared.lock();
        state.wants.retain(|w| *w != key || !exact);
        state.made.push(Made { key, exact, texels });
        drop(state);
        ctx.request_repaint();
    };
    let top = Key {
        level: levels.grid().top(),
        x: 0,
        y: 0,
    };
    if levels.complete() {
        deliver(top, true, levels.tile(top));
    } else {
        deliver(top, false, levels.preview());
    }
    loop {
        match next(&levels, shared) {
            Next::Tile(key) => deliver(key, true, levels.tile(key)),
            Next::Average => {
                levels.advance();
                if levels.complete() {
                    deliver(top, true, levels.tile(top));
                }
            }
            Next::End => return,
        }
        if levels.complete() && !shared.lock().complete {
            shared.lock().complete = true;
            ctx.request_repaint();
        }
    }
}

fn next(levels: &Levels, shared: &Shared) -> Next {
    let mut state = shared.lock();
    loop {
        if state.closed {
            return Next::End;
        }
        if levels.complete() {
            state.complete = true;
        }
        let wanted = state.wants.iter().find(|k| levels.has(k.level)).copied();
        match wanted {
            Some(key) if state.made.len() < WAITING => return Next::Tile(key),
            _ if !levels.complete() => return Next::Average,
            _ => {
                state = shared
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}
