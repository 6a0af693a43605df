//! What graphics devices there are, and which one to take.

use wgpu::{Adapter, Backends, CooperativeScalarType, DeviceType, Features, Instance};

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
    /// Part of the device's name, whatever its case; the best device when absent.
    pub name: Option<String>,
    /// Whether a software device may be taken without being named.
    pub allow_software: bool,
    /// Whether shaders check every index; see [`DeviceRequest::checks`].
    pub checked_shaders: Option<bool>,
    /// Whether matrix products go to tensor cores; see [`DeviceRequest::wants_tensor_cores`].
    pub tensor_cores: Option<bool>,
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

    /// Whether matrix products go to tensor cores where the device has them, in 16 bits with
    /// 32-bit sums: `SERPENT_TENSOR_CORES` (1 or 0), else what was asked for, else no.
    pub fn wants_tensor_cores(&self) -> bool {
        match std::env::var("SERPENT_TENSOR_CORES").as_deref() {
            Ok("1") => true,
            Ok("0") => false,
            _ => self.tensor_cores.unwrap_or(false),
        }
    }
}

/// Whether the adapter multiplies matrices as the `matmul_coop` kernel needs it: 16 × 16 × 16
/// of `f16` with `f32` sums, subgroups of exactly 32, 48 KiB of workgroup memory.
pub(super) fn has_tensor_cores(adapter: &Adapter) -> bool {
    let (features, info) = (adapter.features(), adapter.get_info());
    let shapes = adapter.cooperative_matrix_properties();
    features.contains(TENSOR_CORE_FEATURES)
        && (info.subgroup_min_size, info.subgroup_max_size) == (32, 32)
        && adapter.limits().max_compute_workgroup_storage_size >= 49_152
        && shapes.iter().any(|p| {
            (p.m_size, p.n_size, p.k_size) == (16, 16, 16)
                && p.ab_type == CooperativeScalarType::F16
                && p.cr_type == CooperativeScalarType::F32
        })
}

/// Features a device needs for [`has_tensor_cores`].
pub(super) const TENSOR_CORE_FEATURES: Features =
    Features::SHADER_F16.union(Features::EXPERIMENTAL_COOPERATIVE_MATRIX);

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
fn adapters(instance: &Instance) -> Vec<Adapter> {
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
    let wanted = request.name.as_deref().map(str::to_lowercase);
    adapters(instance)
        .into_iter()
        .find(|a| {
            let info = a.get_info();
            match &wanted {
                Some(part) => info.name.to_lowercase().contains(part),
                None => request.allow_software || info.device_type != DeviceType::Cpu,
            }
        })
        .ok_or_else(|| BackendError::NoDevice {
            wanted: request
                .name
                .clone()
                .unwrap_or_else(|| "any graphics card".to_owned()),
        })
}
