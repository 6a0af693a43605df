//! PSNR and SSIM against a reference, away from the window's thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use egui::Context;
use serpent_engine::image::Picture;
use serpent_engine::metrics::{Protocol, Quality, compare};
use serpent_engine::priority;

/// How a picture compares with the reference.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Measured {
    /// There is no reference.
    #[default]
    None,
    /// On its way.
    Waiting,
    /// Over red, green and blue in 8 bits.
    Done(Quality),
    /// Why it cannot be compared.
    Failed(String),
}

struct Task {
    id: u64,
    reference: Arc<Picture>,
    picture: Arc<Picture>,
}

/// Measures one picture after the other: each takes memory of its own.
pub(super) struct Meter {
    tasks: Sender<Task>,
    results: Receiver<(u64, Measured)>,
}

impl Meter {
    /// The thread ends with the meter.
    pub fn start(ctx: Context) -> Self {
        let (tasks, todo) = channel::<Task>();
        let (done, results) = channel();
        priority::spawn(move || {
            for task in todo {
                let compared = compare(
                    &task.reference.in_srgb().as_rgb(),
                    &task.picture.in_srgb().as_rgb(),
                    Protocol::Rgb8,
                );
                let measured = match compared {
                    Ok(quality) => Measured::Done(quality),
                    Err(problem) => Measured::Failed(problem.to_string()),
                };
                if done.send((task.id, measured)).is_err() {
                    return;
                }
                ctx.request_repaint();
            }
        });
        Self { tasks, results }
    }

    /// Measures `picture`; the result bears `id`.
    pub fn measure(&self, id: u64, reference: Arc<Picture>, picture: Arc<Picture>) -> Measured {
        let task = Task {
            id,
            reference,
            picture,
        };
        match self.tasks.send(task) {
            Ok(()) => Measured::Waiting,
            Err(_) => Measured::Failed("the thread that measures has stopped".to_owned()),
        }
    }

    /// The next finished measurement.
    pub fn poll(&self) -> Option<(u64, Measured)> {
        self.results.try_recv().ok()
    }
}
