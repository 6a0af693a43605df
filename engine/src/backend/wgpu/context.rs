//! The engine's own device: creation, faults as errors, buffers, waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wgpu::{
    Adapter, CommandBuffer, Device, ErrorFilter, Features, Limits, PollType, Queue, SubmissionIndex,
};

use super::adapter::{self, DeviceInfo, DeviceKind, DeviceRequest, Rung};
use super::disk_cache::DiskCache;
use super::dispatch::Capabilities;
use super::faults::{Fault, FaultPlan};
use super::kept_pipelines::KeptPipelines;
use super::pipeline::{Layouts, Pipeline, PipelineKey};
use crate::backend::BackendError;
use crate::graph::{Graph, fuse_blocks, store_half, store_half_matrices};

/// A device with its queue and its compiled kernels.
pub(super) struct Context {
    pub(super) device: Device,
    pub(super) queue: Queue,
    pub(super) info: DeviceInfo,
    pub(super) limits: Limits,
    /// What kernels may use beyond what every adapter has.
    pub(super) capabilities: Capabilities,
    /// Whether shaders check every index.
    pub(super) checked: bool,
    /// Whether passes can be timed.
    pub(super) timestamps: bool,
    pub(super) pipelines: Mutex<HashMap<PipelineKey, Arc<Pipeline>>>,
    pub(super) layouts: Mutex<Layouts>,
    /// Compiled kernels on disk.
    pub(super) kept: KeptPipelines,
    faults: Arc<Mutex<Faults>>,
    /// What tests let go wrong.
    pub(super) planned: FaultPlan,
}

/// What the driver reported outside of any call.
#[derive(Default)]
struct Faults {
    lost: Option<String>,
    refused: Option<(bool, String)>,
}

/// Locks even after a panic elsewhere: the data are plain values.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    /// Opens a device that fits the request, on the rung it wants.
    pub(super) fn open(request: &DeviceRequest) -> Result<Self, BackendError> {
        let adapter = adapter::choose(&adapter::instance(), request)?;
        let cache = DiskCache::user();
        Self::on(&adapter, request.checks(), request.wanted_rung(), &cache)
    }

    /// Opens an adapter's device on a rung, or on the highest below it that the adapter has.
    pub(super) fn on(
        adapter: &Adapter,
        checked: bool,
        rung: Rung,
        cache: &DiskCache,
    ) -> Result<Self, BackendError> {
        let info = DeviceInfo::of(adapter);
        let capabilities = adapter::capabilities(adapter, rung);
        let (device, queue) = Self::request_device(adapter, &info, capabilities)?;
        let faults = Arc::new(Mutex::new(Faults::default()));
        let seen = faults.clone();
        device.set_device_lost_callback(move |_, message| {
            lock(&seen).lost = Some(message);
        });
        let seen = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let out_of_memory = matches!(error, wgpu::Error::OutOfMemory { .. });
            let mut faults = lock(&seen);
            // The first error is the cause, later ones follow from it.
            faults
                .refused
                .get_or_insert((out_of_memory, describe(&error)));
        }));
        let kept = KeptPipelines::load(&device, &info, cache);
        Ok(Self {
            limits: device.limits(),
            capabilities,
            timestamps: device.features().contains(Features::TIMESTAMP_QUERY),
            device,
            queue,
            info,
            checked,
            kept,
            pipelines: Mutex::default(),
            layouts: Mutex::default(),
            faults,
            planned: FaultPlan::default(),
        })
    }

    fn request_device(
        adapter: &Adapter,
        info: &DeviceInfo,
        capabilities: Capabilities,
    ) -> Result<(Device, Queue), BackendError> {
        let experimental = if capabilities.cooperative_matrix {
            // SAFETY: cooperative matrices are experimental because naga does not yet check
            // all of their rules; the one kernel that uses them keeps them (uniform control
            // flow, aligned rows inside its tiles) and is compared with the plain one in tests.
            unsafe { wgpu::ExperimentalFeatures::enabled() }
        } else {
            wgpu::ExperimentalFeatures::disabled()
        };
        let wanted = Features::TIMESTAMP_QUERY | Features::PIPELINE_CACHE;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("serpent"),
            required_features: (adapter.features() & wanted) | adapter::features(capabilities),
            required_limits: adapter.limits(),
            experimental_features: experimental,
            // Blocks of at most 64 MiB: larger ones leave up to half a gigabyte unused, and are no faster.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            trace: wgpu::Trace::Off,
        };
        pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| BackendError::Refused {
            device: info.name.clone(),
            what: "opening the device".to_owned(),
            reason: e.to_string(),
        })
    }

    /// Any graphics device, software ones too.
    #[cfg(test)]
    #[allow(clippy::expect_used)]
    pub(super) fn of_tests() -> Arc<Self> {
        let request = DeviceRequest {
            allow_software: true,
            ..Default::default()
        };
        Arc::new(Self::open(&request).expect("the tests need a graphics device"))
    }

    /// The graph with its values marked as this device keeps them.
    pub(super) fn stored(&self, graph: &Graph) -> Graph {
        let mut graph = graph.clone();
        if self.capabilities.half_storage {
            store_half(&mut graph);
        }
        graph
    }

    /// [`Self::stored`] for inference: halves of blocks fused and matrices in 16 bits, where
    /// the device gains by it.
    pub(super) fn stored_for_inference(&self, graph: &Graph) -> Graph {
        let mut graph = match self.capabilities.fused_blocks {
            true => self.stored(&fuse_blocks(graph.clone())),
            false => self.stored(graph),
        };
        if self.capabilities.half_storage {
            store_half_matrices(&mut graph, self.capabilities.cooperative_matrix);
        }
        graph
    }

    /// True for a processor that pretends to be a graphics card.
    pub(super) fn is_software(&self) -> bool {
        self.info.kind == DeviceKind::Software
    }

    /// Runs `make` and turns the errors it raised on this thread into a value.
    pub(super) fn scoped<T>(
        &self,
        what: &str,
        needed: u64,
        make: impl FnOnce() -> T,
    ) -> Result<T, BackendError> {
        let filters = [
            ErrorFilter::OutOfMemory,
            ErrorFilter::Validation,
            ErrorFilter::Internal,
        ];
        if needed > 0 && self.planned.strikes(Fault::Full) {
            return Err(self.out_of_memory(what, needed, 0));
        }
        let scopes = filters.map(|f| self.device.push_error_scope(f));
        let made = make();
        let mut error = None;
        // Scopes nest: the innermost is popped first.
        for scope in scopes.into_iter().rev() {
            error = pollster::block_on(scope.pop()).or(error);
        }
        // On a lost device everything is made, and nothing works.
        self.check_lost()?;
        match error {
            None => Ok(made),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(self.out_of_memory(what, needed, 0)),
            Some(error) => Err(self.refused(what, describe(&error))),
        }
    }

    pub(super) fn out_of_memory(&self, what: &str, needed: u64, available: u64) -> BackendError {
        BackendError::OutOfMemory {
            what: what.to_owned(),
            needed,
            available,
            device: self.info.name.clone(),
        }
    }

    /// A refusal, or the loss of the device that is behind it.
    pub(super) fn refused(&self, what: &str, reason: impl ToString) -> BackendError {
        // The callback that tells of a loss runs in a poll.
        let _ = self.device.poll(PollType::Poll);
        if let Err(lost) = self.check_lost() {
            return lost;
        }
        BackendError::Refused {
            device: self.info.name.clone(),
            what: what.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// A buffer of `bytes`; `what` names it in errors.
    pub(super) fn buffer(
        &self,
        what: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, BackendError> {
        if bytes > self.limits.max_buffer_size {
            return Err(self.out_of_memory(what, bytes, self.limits.max_buffer_size));
        }
        self.scoped(what, bytes, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(what),
                size: bytes,
                usage,
                mapped_at_creation: false,
            })
        })
    }

    /// Whether the device is still there.
    fn check_lost(&self) -> Result<(), BackendError> {
        match &lock(&self.faults).lost {
            None => Ok(()),
            Some(reason) => Err(BackendError::Lost {
                device: self.info.name.clone(),
                reason: reason.clone(),
            }),
        }
    }

    /// What went wrong since the last look, if anything.
    pub(super) fn check(&self) -> Result<(), BackendError> {
        self.check_lost()?;
        let refused = lock(&self.faults).refused.take();
        match refused {
            None => Ok(()),
            Some((true, _)) => Err(self.out_of_memory("the running work", 0, 0)),
            Some((false, reason)) => Err(self.refused("the running work", reason)),
        }
    }

    fn timed_out(&self, seconds: u64) -> BackendError {
        BackendError::TimedOut {
            device: self.info.name.clone(),
            seconds,
        }
    }

    /// Sends encoded work off, in this order.
    pub(super) fn submit(&self, work: impl IntoIterator<Item = CommandBuffer>) -> SubmissionIndex {
        if self.planned.strikes(Fault::Dropped) {
            return self.queue.submit([]);
        }
        if self.planned.strikes(Fault::Lost) {
            self.device.destroy();
        }
        if self.planned.strikes(Fault::Refused) {
            let size = self.limits.max_buffer_size + 4;
            let _ = self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("too large"),
                size,
                usage: wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
        }
        self.queue.submit(work)
    }

    /// Waits until a submission is done.
    pub(super) fn wait(&self, submission: SubmissionIndex) -> Result<(), BackendError> {
        // One submission is meant to take a tenth of a second; a dispatch cannot be split,
        // and a busy processor that pretends is thousands of times slower than a card.
        let seconds = if self.is_software() { 600 } else { 60 };
        if self.planned.strikes(Fault::Hung) {
            return Err(self.timed_out(seconds));
        }
        let waited = self.device.poll(PollType::Wait {
            submission_index: Some(submission),
            timeout: Some(Duration::from_secs(seconds)),
        });
        self.check()?;
        match waited {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => Err(self.timed_out(seconds)),
            Err(error) => Err(self.refused("waiting for the device", error)),
        }
    }
}

/// An error with its causes, in one line each.
fn describe(error: &wgpu::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(c) = cause {
        let c_text = c.to_string();
        if !text.contains(&c_text) {
            text.push_str(&format!("\n{c_text}"));
        }
        cause = c.source();
    }
    text
}
