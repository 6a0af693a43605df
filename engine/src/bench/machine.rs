//! What was measured on.

use crate::backend::wgpu::DeviceInfo;

/// Program, system and processor, so that figures of different machines can stand side by side.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Machine {
    /// Version of the program.
    pub version: &'static str,
    /// Whether it was built with optimisations: figures of a debug build say nothing.
    pub optimised: bool,
    /// linux, macos, windows.
    pub os: &'static str,
    /// Instruction set.
    pub arch: &'static str,
    /// Name of the processor.
    pub processor: String,
    /// Threads it runs at once.
    pub threads: usize,
    /// The graphics device, if one was measured, with its driver.
    pub device: Option<DeviceInfo>,
}

impl Machine {
    /// This machine.
    pub fn this(device: Option<&DeviceInfo>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            optimised: !cfg!(debug_assertions),
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            processor: processor(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            device: device.cloned(),
        }
    }
}

/// The processor's name where the system tells it without asking another program.
fn processor() -> String {
    if let Ok(text) = std::fs::read_to_string("/proc/cpuinfo") {
        let named = text.lines().find(|l| l.starts_with("model name"));
        if let Some((_, name)) = named.and_then(|l| l.split_once(':')) {
            return name.trim().to_owned();
        }
    }
    std::env::var("PROCESSOR_IDENTIFIER").unwrap_or_else(|_| "unknown".to_owned())
}
