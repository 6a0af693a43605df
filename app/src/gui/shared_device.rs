//! One graphics device for all of the window's engines: the batch's thread and the one for single
//! pictures share it, so that nothing is opened, tested and compiled twice.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use egui::Context;
use serpent_engine::backend::{Backend, BackendError};
use serpent_engine::restore::{Device, DeviceSetup, Engine, Event};

/// What an engine tells is on screen within this time; a fast device tells of far more tiles
/// than anybody can see.
const NEWS: Duration = Duration::from_millis(50);

/// The device that was opened last, as long as an engine uses it.
#[derive(Clone, Default)]
pub struct SharedDevice(Arc<Mutex<Option<Open>>>);

struct Open {
    setup: DeviceSetup,
    backend: Weak<dyn Backend>,
}

impl SharedDevice {
    /// An engine on this device; the window is drawn anew when it tells something.
    pub fn start_engine(&self, setup: DeviceSetup, ctx: Context) -> (Engine, Receiver<Event>) {
        let shared = self.clone();
        Engine::start_with(
            move || shared.open(&setup),
            move || ctx.request_repaint_after(NEWS),
        )
    }

    /// The device, opened unless an engine has it open already.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub fn open(&self, setup: &DeviceSetup) -> Result<Device, BackendError> {
        // Held meanwhile: whoever comes second waits and then shares.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = last.as_ref().filter(|open| open.setup == *setup);
        if let Some(backend) = same.and_then(|open| open.backend.upgrade()) {
            return Ok(Device::with(backend));
        }
        let device = Device::open(setup)?;
        *last = device.accelerator().map(|backend| Open {
            setup: setup.clone(),
            backend: Arc::downgrade(backend),
        });
        Ok(device)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serpent_engine::restore::DeviceChoice;

    #[test]
    fn engines_share_a_device_as_long_as_one_uses_it() {
        let shared = SharedDevice::default();
        let setup = DeviceSetup::from(DeviceChoice::Named("llvmpipe".to_owned()));
        let Ok(first) = shared.open(&setup) else {
            println!("no software device here");
            return;
        };
        let second = shared.clone().open(&setup).unwrap();
        let backend = |d: &Device| d.accelerator().unwrap().clone();
        assert!(Arc::ptr_eq(&backend(&first), &backend(&second)));
        drop((first, second));
        let last = shared.0.lock().unwrap();
        assert!(last.as_ref().unwrap().backend.upgrade().is_none());
    }

    #[test]
    fn the_processor_needs_no_sharing() {
        let shared = SharedDevice::default();
        let setup = DeviceSetup::from(DeviceChoice::Cpu);
        assert!(shared.open(&setup).unwrap().accelerator().is_none());
        assert!(shared.0.lock().unwrap().is_none());
    }
}
