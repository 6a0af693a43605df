//! Where pictures are restored: a graphics device with the processor behind it.

use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use super::opening::Openings;
use crate::backend::cpu::CpuBackend;
use crate::backend::wgpu::{DeviceRequest, Rung, WgpuBackend};
use crate::backend::{Backend, BackendError};

/// What is said about [`Openings::have_crashed`].
const CRASHED: &str = "an earlier start ended while it opened a graphics device";

/// Which device to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best hardware graphics device, the processor if there is none.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A graphics device by part of its name, software devices included.
    Named(String),
}

impl FromStr for DeviceChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "" | "auto" => Self::Auto,
            "cpu" => Self::Cpu,
            _ => Self::Named(text.to_owned()),
        })
    }
}

/// Which device to use and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceSetup {
    /// Which device.
    pub choice: DeviceChoice,
    /// As [`DeviceRequest::checked_shaders`].
    pub checked_shaders: Option<bool>,
    /// The rung to insist on; absent, the highest that passes its self-test
    /// ([`WgpuBackend::open_tested`]).
    pub rung: Option<Rung>,
}

impl From<DeviceChoice> for DeviceSetup {
    fn from(choice: DeviceChoice) -> Self {
        Self {
            choice,
            ..Self::default()
        }
    }
}

impl DeviceSetup {
    /// As the graphics backend is asked for it; [`DeviceChoice::Cpu`] as the best device.
    pub fn request(&self) -> DeviceRequest {
        let name = match &self.choice {
            DeviceChoice::Named(name) => Some(name.clone()),
            DeviceChoice::Auto | DeviceChoice::Cpu => None,
        };
        DeviceRequest {
            allow_software: name.is_some(),
            name,
            checked_shaders: self.checked_shaders,
            rung: self.rung,
        }
    }
}

/// An open device.
///
/// A graphics device that was lost, hung or refused work is not trusted again
/// for the life of this value: the processor takes over, and the reason is kept.
pub struct Device {
    accelerator: Option<Arc<dyn Backend>>,
    cpu: Arc<dyn Backend>,
    distrust: OnceLock<String>,
}

impl Device {
    /// Opens a device.
    ///
    /// # Errors
    /// [`BackendError`] when the named device does not exist or does not open. With
    /// [`DeviceChoice::Auto`] the processor stands in and [`Device::trouble`] says why.
    ///
    /// Where an earlier start ended while it opened a device, it is not tried again for a day
    /// with [`DeviceChoice::Auto`]; a device by name is an error once, and is tried the next time.
    pub fn open(setup: &DeviceSetup) -> Result<Self, BackendError> {
        let openings = Openings::of_user();
        let open = || {
            let _opening = openings.begin();
            let opened = WgpuBackend::open_tested(&setup.request())?;
            openings.forget();
            Ok(opened)
        };
        match &setup.choice {
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Named(name) if openings.have_crashed() => {
                openings.forget();
                Err(BackendError::Refused {
                    device: name.clone(),
                    what: "opening the device".to_owned(),
                    reason: format!(
                        "{CRASHED}; it is tried again the next time, --device cpu does without"
                    ),
                })
            }
            DeviceChoice::Auto if openings.have_crashed() => {
                let device = Self::cpu();
                device.distrust(format!(
                    "{CRASHED}; it is tried again after a day, or when it is named (--device NAME)"
                ));
                Ok(device)
            }
            DeviceChoice::Named(_) => Ok(Self::with(Arc::new(open()?))),
            DeviceChoice::Auto => Ok(match open() {
                Ok(gpu) => Self::with(Arc::new(gpu)),
                Err(BackendError::NoDevice { .. }) => Self::cpu(),
                Err(other) => {
                    let device = Self::cpu();
                    device.distrust(other.to_string());
                    device
                }
            }),
        }
    }

    /// The processor alone.
    pub fn cpu() -> Self {
        Self::new(None, Arc::new(CpuBackend))
    }

    /// A graphics device with the processor behind it.
    pub fn with(accelerator: Arc<dyn Backend>) -> Self {
        Self::new(Some(accelerator), Arc::new(CpuBackend))
    }

    /// Any backend with any other behind it.
    pub fn new(accelerator: Option<Arc<dyn Backend>>, cpu: Arc<dyn Backend>) -> Self {
        Self {
            accelerator,
            cpu,
            distrust: OnceLock::new(),
        }
    }

    /// The graphics device, unless there is none or it is not trusted any more.
    pub fn accelerator(&self) -> Option<&Arc<dyn Backend>> {
        self.accelerator
            .as_ref()
            .filter(|_| self.distrust.get().is_none())
    }

    /// The processor.
    pub fn processor(&self) -> &Arc<dyn Backend> {
        &self.cpu
    }

    /// Name of the device that the next picture will be restored on.
    pub fn name(&self) -> &str {
        self.accelerator().unwrap_or(&self.cpu).name()
    }

    /// Why the graphics device is not used, if it failed.
    pub fn trouble(&self) -> Option<&str> {
        self.distrust.get().map(String::as_str)
    }

    /// Leaves the graphics device alone from now on.
    pub(super) fn distrust(&self, reason: String) {
        tracing::warn!("the graphics device is not used any more: {reason}");
        // The first reason stands.
        let _ = self.distrust.set(reason);
    }
}
