//! What devices there are: found and tested on a thread, when the settings are first opened.

use std::sync::mpsc::{Receiver, channel};

use egui::Context;
use serpent_engine::backend::wgpu::{DeviceKind, Examined, examine_devices};
use serpent_engine::priority;

use super::words;

/// The devices of this computer.
pub struct Devices {
    /// Graphics devices, best first; nothing before they are known.
    pub found: Option<Vec<Examined>>,
    coming: Option<Receiver<Vec<Examined>>>,
}

impl Devices {
    /// Those given, or still to be looked for.
    pub fn known(found: Option<Vec<Examined>>) -> Self {
        Self {
            found,
            coming: None,
        }
    }

    /// Starts looking unless that was done.
    pub fn look(&mut self, ctx: &Context) {
        if self.found.is_some() || self.coming.is_some() {
            return;
        }
        let (send, coming) = channel();
        let ctx = ctx.clone();
        priority::spawn(move || {
            // The window may be gone by now.
            let _ = send.send(examine_devices());
            ctx.request_repaint();
        });
        self.coming = Some(coming);
    }

    /// Whether they are being looked for.
    pub fn is_busy(&self) -> bool {
        self.coming.is_some()
    }

    /// Takes them in once they are known.
    pub fn collect(&mut self) {
        if let Some(found) = self.coming.as_ref().and_then(|c| c.try_recv().ok()) {
            self.found = Some(found);
            self.coming = None;
        }
    }
}

/// What a device is, in a word or two.
pub fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Discrete => "graphics card",
        DeviceKind::Integrated => "integrated graphics",
        DeviceKind::Other => "graphics device",
        DeviceKind::Software => "software, for tests",
    }
}

/// Kind, memory and rung of a device, or why it is not used.
pub fn facts(device: &Examined) -> String {
    if let Some(trouble) = &device.trouble {
        return format!("does not open: {trouble}");
    }
    let rung = device.rung.map_or("none".to_owned(), |r| r.to_string());
    let verdict = match device.verdicts.iter().find(|v| Some(v.rung) == device.rung) {
        Some(v) if v.passed() => ", self-test passed",
        Some(_) => ", self-test failed",
        None => "",
    };
    let memory = words::bytes(device.info.max_buffer_bytes);
    format!(
        "{}, {}, buffers up to {memory}, rung {rung}{verdict}",
        kind(device.info.kind),
        device.info.backend
    )
}

/// Cores of the processor.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
