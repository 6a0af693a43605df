//! What is fuzzed: functions that take any bytes and must neither panic nor take memory or time
//! without bounds.
//!
//! The same functions run under cargo-fuzz (`targets/`) and, on stable, in loops of a fixed
//! length over mutations of `corpus/` ([`mutate`]).

mod mutate;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serpent_engine::checkpoint::{Checkpoint, Task};
use serpent_engine::image::{Format, Limits, Picture, SaveOptions};
use serpent_engine::network::{Network, NetworkConfig, initial_weights};
use serpent_engine::restore::{Device, Options, Restorer};
use serpent_engine::train::TrainConfig;

pub use mutate::Mutator;

/// Pixels of the largest picture that is restored here.
const MOST_PIXELS: u64 = 1024;

/// The reader of model files. What it takes must be a network that can be built, with finite
/// weights.
pub fn checkpoint(bytes: &[u8]) {
    if let Ok(model) = Checkpoint::from_bytes(bytes, Path::new("fuzzed")) {
        assert!(model.weights.iter().flatten().all(|w| w.is_finite()));
        let side = model.config.size_multiple();
        assert!(Network::build(&model.config, 1, side, side).is_ok());
    }
}

/// Configurations: of a network (JSON, as in model files) and of a training (TOML). What passes
/// the check must be a network that can be built.
pub fn configuration(bytes: &[u8]) {
    if let Ok(config) = serde_json::from_slice::<NetworkConfig>(bytes)
        && config.validate().is_ok()
    {
        let side = config.size_multiple();
        assert!(Network::build(&config, 1, side, side).is_ok());
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(config) = toml::from_str::<TrainConfig>(text)
    {
        // Any answer will do.
        let _ = config.check();
    }
}

/// A file decoded, restored by a tiny network and encoded in every format; what was written must
/// be readable, of the same size.
pub fn picture(bytes: &[u8]) {
    thread_local!(static DESK: RefCell<Option<Desk>> = const { RefCell::new(None) });
    DESK.with_borrow_mut(|desk| {
        if desk.is_none() {
            *desk = Desk::new();
        }
        let Some(desk) = desk else {
            unreachable!("the temporary folder can be written");
        };
        desk.restore(bytes);
    });
}

/// A folder and a tiny network, kept from one picture to the next.
struct Desk {
    folder: tempfile::TempDir,
    restorer: Restorer,
    turn: usize,
}

impl Desk {
    fn new() -> Option<Self> {
        let restorer = Restorer::new(Arc::new(Device::cpu()), Arc::new(tiny()?)).ok()?;
        Some(Self {
            folder: tempfile::tempdir().ok()?,
            restorer,
            turn: 0,
        })
    }

    fn restore(&mut self, bytes: &[u8]) {
        let input = self.folder.path().join("in");
        assert!(std::fs::write(&input, bytes).is_ok());
        // The window and the plan look at the header alone.
        let probe = Picture::probe(&input);
        let limits = Limits {
            max_pixels: MOST_PIXELS,
        };
        let Ok(picture) = Picture::open_with(&input, &limits) else {
            return;
        };
        let size = (picture.width(), picture.height());
        assert!(size.0 * size.1 <= MOST_PIXELS as usize);
        let probe = probe.map(|p| (p.width as usize, p.height as usize));
        assert_eq!(probe.ok(), Some(size));
        let mut go_on = |_, _| ControlFlow::Continue(());
        let restored = self
            .restorer
            .restore(&picture, &Options::default(), &mut go_on);
        let restored = match restored {
            Ok(restored) => restored.picture,
            Err(error) => unreachable!("what opens can be restored: {error}"),
        };
        self.turn += 1;
        let format = Format::WRITABLE[self.turn % Format::WRITABLE.len()];
        let output = self
            .folder
            .path()
            .join("out")
            .with_extension(format.extension());
        match restored.save(&output, &SaveOptions::default()) {
            Ok(()) => {
                let again = Picture::open(&output).map(|p| (p.width(), p.height()));
                assert_eq!(again.ok(), Some(size), "{format}");
            }
            // Some formats have narrower limits; they say so.
            Err(error) => assert!(error.to_string().contains("out"), "{error}"),
        }
    }
}

/// A network as small as they get, which changes what it is given.
pub fn tiny() -> Option<Checkpoint> {
    let config = NetworkConfig {
        channels: 4,
        depths: vec![1],
        states: 1,
        ..serpent_engine::network::Preset::Tiny.config()
    };
    let side = config.size_multiple();
    let network = Network::build(&config, 1, side, side).ok()?;
    let mut weights = initial_weights(&network.parameters, 1);
    weights.iter_mut().flatten().for_each(|w| *w += 0.01);
    Some(Checkpoint {
        config,
        weights,
        task: Task::Denoise,
        recipe: serde_json::Value::Null,
        overlap: None,
    })
}
