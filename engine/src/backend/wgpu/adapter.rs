//! What graphics devices there are, and which one to take.

use wgpu::{Adapter, Backends, CooperativeScalarType, DeviceType, Features, Instance};

use super::dispatch::Capabilities;
use crate::backend::BackendError;

/// What a device is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// A graphics card with memory of its own.
    Discrete,
    /// Part of the processor, sharing its memory.
    Integrated,
    /// A graphics card seen through a virtual machine, or a device that does not say.
    Other,
    /// A processor pretending: for tests only.
    Software,
}

impl From<DeviceType> for DeviceKind {
    fn from(t: DeviceType) -> Self {
        match t {
            DeviceType::DiscreteGpu => Self::Discrete,
            DeviceType::IntegratedGpu => Self::Integrated,
            DeviceType::Cpu => Self::Software,
            DeviceType::VirtualGpu | DeviceType::Other => Self::Other,
        }
    }
}

/// A device as `serpent devices` prints it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DeviceInfo {
    /// Name the driver gives.
    pub name: String,
    /// What it is made of.
    pub kind: DeviceKind,
    /// Vulkan, Metal or Dx12.
    pub backend: String,
    /// Driver and its version.
    pub driver: String,
    /// Largest buffer in bytes.
    pub max_buffer_bytes: u64,
    /// Largest part of a buffer one kernel can see, in bytes.
    pub max_binding_bytes: u64,
    /// Memory shared by a workgroup, in bytes.
    pub max_workgroup_bytes: u32,
}

impl DeviceInfo {
    pub(super) fn of(adapter: &Adapter) -> Self {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        Self {
            name: info.name,
            kind: info.device_type.into(),
            backend: format!("{:?}", info.backend),
            driver: format!("{} {}", info.driver, info.driver_info)
                .trim()
                .to_owned(),
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        }
    }
}

/// Which device to use and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Part of the device's name, whatever its case, `#2` after it for the second that fits;
    /// the best device when absent.
    pub name: Option<String>,
    /// Whether a software device may be taken without being named.
    pub allow_software: bool,
    /// Whether shaders check every index; see [`DeviceRequest::checks`].
    pub checked_shaders: Option<bool>,
    /// How numbers are kept and multiplied; see [`DeviceRequest::wanted_rung`].
    pub rung: Option<Rung>,
}

impl DeviceRequest {
    /// Whether shaders check every index: `SERPENT_CHECKED_SHADERS` (1 or 0), else what was
    /// asked for, else only in builds with debug assertions.
    pub fn checks(&self) -> bool {
        match std::env::var("SERPENT_CHECKED_SHADERS").as_deref() {
            Ok("1") => true,
            Ok("0") => false,
            _ => self.checked_shaders.unwrap_or(cfg!(debug_assertions)),
        }
    }

    /// The rung that is insisted on: `SERPENT_RUNG` (a rung's name), else what was asked for.
    pub fn insisted_rung(&self) -> Option<Rung> {
        let named = std::env::var("SERPENT_RUNG").ok();
        named.and_then(|name| name.parse().ok()).or(self.rung)
    }

    /// The rung to use without a self-test: what is insisted on, else 32 bits.
    pub fn wanted_rung(&self) -> Rung {
        self.insisted_rung().unwrap_or_default()
    }
}

/// How numbers are kept and multiplied, from what every adapter can do upwards. An adapter
/// that lacks a rung gets the highest one below it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// 32 bits throughout.
    #[default]
    Full,
    /// Activations in memory in 16 bits, arithmetic in 32.
    Half,
    /// As [`Rung::Half`], with matrix products on tensor cores: 16-bit factors, 32-bit sums.
    Tensor,
}

impl Rung {
    /// All rungs, lowest first.
    pub const ALL: [Self; 3] = [Self::Full, Self::Half, Self::Tensor];

    /// The rung that kernels of these capabilities run on.
    pub(super) fn of(capabilities: Capabilities) -> Self {
        match (capabilities.half_storage, capabilities.cooperative_matrix) {
            (_, true) => Self::Tensor,
            (true, false) => Self::Half,
            (false, false) => Self::Full,
        }
    }
}

impl std::fmt::Display for Rung {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Half => "half",
            Self::Tensor => "tensor",
        })
    }
}

impl std::str::FromStr for Rung {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|rung| rung.to_string() == name)
            .ok_or_else(|| format!("{name:?} is not a rung: full, half or tensor"))
    }
}

/// What of a rung the adapter has.
pub(super) fn capabilities(adapter: &Adapter, rung: Rung) -> Capabilities {
    let half_storage = rung >= Rung::Half && adapter.features().contains(Features::SHADER_F16);
    let cooperative_matrix = half_storage && rung == Rung::Tensor && has_tensor_cores(adapter);
    let limits = adapter.limits();
    let buffers = limits.max_storage_buffers_per_shader_stage;
    Capabilities {
        half_storage,
        cooperative_matrix,
        fused_blocks: cooperative_matrix && buffers >= FUSED_BUFFERS && fused_wanted(),
        workgroup_bytes: limits.max_compute_workgroup_storage_size,
        subgroups: subgroups(adapter),
    }
}

/// Storage buffers that the largest fused kernel binds.
const FUSED_BUFFERS: u32 = 10;

/// `SERPENT_FUSED=0` runs blocks op by op.
fn fused_wanted() -> bool {
    std::env::var("SERPENT_FUSED").as_deref() != Ok("0")
}

/// Features and experiments a device must be opened with for these capabilities.
pub(super) fn features(capabilities: Capabilities) -> Features {
    let mut features = Features::empty();
    features.set(Features::SHADER_F16, capabilities.half_storage);
    features.set(Features::SUBGROUP, capabilities.subgroups > 0);
    features.set(
        Features::EXPERIMENTAL_COOPERATIVE_MATRIX,
        capabilities.cooperative_matrix,
    );
    features
}

/// Whether the adapter multiplies matrices as the `matmul_coop` kernel needs it: 16 × 16 × 16
/// of `f16` with `f32` sums, subgroups of exactly 32, 48 KiB of workgroup memory.
fn has_tensor_cores(adapter: &Adapter) -> bool {
    let (features, info) = (adapter.features(), adapter.get_info());
    let shapes = adapter.cooperative_matrix_properties();
    features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX)
        && (info.subgroup_min_size, info.subgroup_max_size) == (32, 32)
        && adapter.limits().max_compute_workgroup_storage_size >= 49_152
        && shapes.iter().any(|p| {
            (p.m_size, p.n_size, p.k_size) == (16, 16, 16)
                && p.ab_type == CooperativeScalarType::F16
                && p.cr_type == CooperativeScalarType::F32
        })
}

/// Lanes of a subgroup where that is one number and kernels may count on it: a power of two
/// from 8 to 64. `SERPENT_SUBGROUPS=0` does without.
fn subgroups(adapter: &Adapter) -> u32 {
    let info = adapter.get_info();
    let (least, most) = (info.subgroup_min_size, info.subgroup_max_size);
    let fixed = least == most && least.is_power_of_two() && (8..=64).contains(&least);
    let wanted = std::env::var("SERPENT_SUBGROUPS").as_deref() != Ok("0");
    if wanted && fixed && adapter.features().contains(Features::SUBGROUP) {
        least
    } else {
        0
    }
}

/// All devices that can run the engine, best first.
pub fn list_devices() -> Vec<DeviceInfo> {
    adapters(&instance()).iter().map(DeviceInfo::of).collect()
}

/// Instance for the backends with compute (`WGPU_BACKEND` narrows them).
pub(super) fn instance() -> Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = Backends::from_env().unwrap_or(Backends::PRIMARY);
    // An allocation that would push others out of memory fails instead of swapping.
    descriptor.memory_budget_thresholds.for_resource_creation = Some(95);
    Instance::new(descriptor)
}

/// Adapters with compute, best first: discrete, other, integrated, software.
pub(super) fn adapters(instance: &Instance) -> Vec<Adapter> {
    let mut all: Vec<Adapter> = pollster::block_on(instance.enumerate_adapters(Backends::all()))
        .into_iter()
        .filter(|a| a.limits().max_compute_invocations_per_workgroup >= 256)
        .collect();
    all.sort_by_key(|a| match DeviceKind::from(a.get_info().device_type) {
        DeviceKind::Discrete => 0,
        DeviceKind::Other => 1,
        DeviceKind::Integrated => 2,
        DeviceKind::Software => 3,
    });
    all
}

/// The best adapter that fits the request.
///
/// # Errors
/// [`BackendError::NoDevice`] when none does.
pub(super) fn choose(
    instance: &Instance,
    request: &DeviceRequest,
) -> Result<Adapter, BackendError> {
    let (wanted, place) = request.name.as_deref().map_or((None, 0), wanted);
    adapters(instance)
        .into_iter()
        .filter(|a| {
            let info = a.get_info();
            match &wanted {
                Some(part) => info.name.to_lowercase().contains(part),
                None => request.allow_software || info.device_type != DeviceType::Cpu,
            }
        })
        .nth(place)
        .ok_or_else(|| BackendError::NoDevice {
            wanted: request
                .name
                .clone()
                .unwrap_or_else(|| "any graphics card".to_owned()),
        })
}

/// What a device's name must contain, in lower case, and which of those to take, from 0:
/// `h100#2` is the second whose name contains "h100".
fn wanted(name: &str) -> (Option<String>, usize) {
    let numbered = name.rsplit_once('#').and_then(|(part, number)| {
        let number: usize = number.parse().ok()?;
        Some((part, number.checked_sub(1)?))
    });
    let (part, place) = numbered.unwrap_or((name, 0));
    (Some(part.to_lowercase()), place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_one_name_are_told_apart_by_number() {
        let name = |s: &str| Some(s.to_owned());
        assert_eq!(wanted("H100"), (name("h100"), 0));
        assert_eq!(wanted("H100#1"), (name("h100"), 0));
        assert_eq!(wanted("H100#2"), (name("h100"), 1));
        assert_eq!(wanted("#2"), (name(""), 1));
        // No number, no place: part of the name.
        assert_eq!(wanted("card #x"), (name("card #x"), 0));
        assert_eq!(wanted("card#0"), (name("card#0"), 0));
    }
}
