//! Compiled kernels kept on disk between starts (Vulkan only; other systems keep their own).

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wgpu::{Device, Features, PipelineCache};

use super::adapter::DeviceInfo;
use super::context::lock;
use super::disk_cache::{DiskCache, MOST, file_name};
use super::shader;

/// The driver's compiled kernels, loaded when the device opened.
pub(super) struct KeptPipelines {
    cache: Option<PipelineCache>,
    disk: DiskCache,
    /// Name of the file and what it must have been made for.
    file: (String, String),
    /// Pipelines made since the last save.
    made: AtomicUsize,
    /// The last save.
    last: Mutex<Option<Save>>,
}

/// A save on its way or done.
struct Save {
    begun: Instant,
    thread: JoinHandle<()>,
}

/// Saves write everything anew: no more often than this, but always in the end.
const PAUSE: Duration = Duration::from_secs(5);

impl KeptPipelines {
    /// What earlier starts left for this device, driver and program; empty where that is
    /// nothing, and off where the device or the user wants none.
    pub fn load(device: &Device, info: &DeviceInfo, disk: &DiskCache) -> Self {
        let name = format!("{}, {}, {}", info.name, info.backend, info.driver);
        // One file a device and driver: a new version of the program writes over the old one's.
        let key = format!("{name}, {:016x}", shader::fingerprint());
        let file = (file_name("pipelines", &name), key);
        let wanted = disk.is_on() && device.features().contains(Features::PIPELINE_CACHE);
        let cache = wanted.then(|| {
            let data = disk.read(&file.0, &file.1);
            let size = data.as_ref().map_or(0, Vec::len);
            tracing::debug!("{size} bytes of compiled kernels for {name}");
            let descriptor = wgpu::PipelineCacheDescriptor {
                label: Some("serpent"),
                data: data.as_deref(),
                fallback: true,
            };
            // SAFETY: the data must be what `get_data` gave for this device. The file's
            // checksum covers the bytes and the names of device, driver and program, so they
            // are what `save` wrote for them, whole; wgpu compares vendor, device and the
            // driver's own key besides and starts empty where they differ. The folder is the
            // user's own: whoever can write a checksummed file there can run programs as well.
            unsafe { device.create_pipeline_cache(&descriptor) }
        });
        Self {
            cache,
            disk: disk.clone(),
            file,
            made: AtomicUsize::new(0),
            last: Mutex::new(None),
        }
    }

    /// For pipeline descriptors.
    pub fn cache(&self) -> Option<&PipelineCache> {
        self.cache.as_ref()
    }

    /// A pipeline was made.
    pub fn made_one(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes what there is, on a thread of its own, if pipelines were made since the last
    /// time; soon after that, leaves it to the next call or to the end.
    pub fn save(&self) {
        let mut last = lock(&self.last);
        let soon = last.as_ref().is_some_and(|s| s.begun.elapsed() < PAUSE);
        if !soon {
            self.begin(&mut last);
        }
    }

    /// Starts writing after the save before it is done.
    fn begin(&self, last: &mut Option<Save>) {
        let Some(cache) = &self.cache else {
            return;
        };
        if self.made.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
        finish(last.take());
        let (cache, disk, (name, key)) = (cache.clone(), self.disk.clone(), self.file.clone());
        let begun = Instant::now();
        let thread = std::thread::spawn(move || {
            let Some(data) = cache.get_data() else {
                return;
            };
            // Already there, for another program or start compiled the same.
            if disk.read(&name, &key).is_some_and(|old| old == data) {
                return;
            }
            if data.len() > MOST {
                tracing::debug!(
                    "{} bytes of compiled kernels are too many to keep",
                    data.len()
                );
                return;
            }
            match disk.write(&name, &key, &data) {
                Ok(()) => tracing::debug!("kept {} bytes of compiled kernels", data.len()),
                Err(error) => tracing::debug!("compiled kernels are not kept: {error}"),
            }
        });
        *last = Some(Save { begun, thread });
    }
}

impl Drop for KeptPipelines {
    /// What is new is written, and waited for.
    fn drop(&mut self) {
        let mut last = lock(&self.last);
        self.begin(&mut last);
        finish(last.take());
    }
}

fn finish(save: Option<Save>) {
    if let Some(save) = save {
        // A panic there has cost nothing but the file.
        let _ = save.thread.join();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::fs;
    use std::sync::Arc;

    use super::super::adapter::{self, DeviceRequest, Rung};
    use super::super::context::Context;
    use super::super::executable::WgpuModel;
    use super::*;
    use crate::backend::Executable;
    use crate::graph::{Activation, Graph, Op};

    fn open(disk: &DiskCache) -> Arc<Context> {
        let request = DeviceRequest {
            allow_software: true,
            ..Default::default()
        };
        let adapter = adapter::choose(&adapter::instance(), &request).expect("a device");
        Arc::new(Context::on(&adapter, true, Rung::Full, disk).unwrap())
    }

    /// Compiles and runs one kernel.
    fn run(context: &Arc<Context>) -> Vec<f32> {
        let mut graph = Graph::new();
        let x = graph.input("x", &[1, 2, 2, 3]);
        let op = Op::Activation(Activation::Relu);
        graph.outputs = vec![graph.apply(op, &[x], "relu").unwrap()];
        let model = WgpuModel::new(context, &[]).unwrap();
        let x: Vec<f32> = (0..12).map(|i| i as f32 - 5.0).collect();
        let mut executable = model.prepare_program(&graph).unwrap();
        executable.run(&[&x]).unwrap().swap_remove(0)
    }

    #[test]
    fn kernels_are_kept_and_damage_only_costs_time() {
        let folder = tempfile::tempdir().unwrap();
        let disk = DiskCache::at(folder.path().to_owned());
        let context = open(&disk);
        if context.kept.cache().is_none() {
            // Only Vulkan has such a cache.
            return;
        }
        let expected = run(&context);
        let file = folder.path().join(&context.kept.file.0);
        drop(context);
        let whole = fs::read(&file).expect("kept");
        // Again with it: the same results, and nothing new to write.
        let context = open(&disk);
        assert_eq!(run(&context), expected);
        drop(context);
        // Damaged in the middle, cut off, or what another program left there.
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        for bad in [
            changed,
            whole[..whole.len() / 2].to_vec(),
            b"?".repeat(5000),
        ] {
            fs::write(&file, &bad).unwrap();
            let context = open(&disk);
            assert_eq!(run(&context), expected);
            drop(context);
            assert!(
                disk.read(&file.file_name().unwrap().to_string_lossy(), "")
                    .is_none()
            );
            assert_ne!(fs::read(&file).unwrap(), bad, "a good one takes its place");
        }
    }

    #[test]
    fn without_a_folder_nothing_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let disk = DiskCache::at(folder.path().join("file"));
        fs::write(folder.path().join("file"), "not a folder").unwrap();
        // A folder that cannot be made is no reason to fail.
        assert!(!run(&open(&disk)).is_empty());
    }
}
