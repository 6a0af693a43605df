//! Whether a rung above 32 bits computes on this device what the processor computes.
//!
//! Drivers have got 16-bit storage and cooperative matrices wrong. Before a rung is used, a
//! network of the preset `base` with fixed weights, so that the kernels it compiles are those
//! that pictures need (but for products, whose tiles depend on how many tokens there are), runs
//! over a few hundred tokens on the device and on the processor. The verdict is kept on disk for
//! the device, its driver and this program.

use std::sync::Arc;
use std::time::Instant;

use super::adapter::{self, DeviceInfo, DeviceKind, DeviceRequest, Rung};
use super::context::Context;
use super::disk_cache::{DiskCache, file_name};
use super::executable::WgpuModel;
use super::{WgpuBackend, shader};
use crate::backend::cpu::CpuBackend;
use crate::backend::{Backend, BackendError, Executable};
use crate::graph::fuse;
use crate::network::{Network, Preset, initial_weights};

/// Largest difference that passes: ‖device − processor‖ / ‖what the network changes‖. Rounding
/// to 11 bits between kernels gives less than a tenth of it, a wrong kernel about 1.
const BOUND: f64 = 0.03;

/// Height and width of the picture: 768 tokens at full size, 12 at the bottom.
const SIZE: (usize, usize) = (24, 32);

/// What the self-test said of a rung.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// The rung.
    pub rung: Rung,
    /// Relative difference from the processor; nothing when there was no finite result.
    pub error: Option<f64>,
    /// Why the rung is not to be used.
    pub trouble: Option<String>,
}

impl Verdict {
    /// Whether the rung computes what it should.
    pub fn passed(&self) -> bool {
        self.trouble.is_none()
    }
}

/// A device and the rung it gets.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Examined {
    /// The device.
    pub info: DeviceInfo,
    /// The rung, unless it does not open.
    pub rung: Option<Rung>,
    /// What the self-test said of the rungs it tried, highest first.
    pub verdicts: Vec<Verdict>,
    /// Why it does not open.
    pub trouble: Option<String>,
}

/// Opens every device and tests it, best first.
pub fn examine_devices() -> Vec<Examined> {
    let (instance, cache) = (adapter::instance(), DiskCache::user());
    adapter::adapters(&instance)
        .iter()
        .map(|adapter| {
            let info = DeviceInfo::of(adapter);
            match open(adapter, &DeviceRequest::default(), &cache) {
                Ok(backend) => Examined {
                    info,
                    rung: Some(backend.rung()),
                    verdicts: backend.verdicts,
                    trouble: None,
                },
                Err(error) => Examined {
                    info,
                    rung: None,
                    verdicts: Vec::new(),
                    trouble: Some(error.to_string()),
                },
            }
        })
        .collect()
}

/// Opens an adapter on the highest rung that passes; see [`WgpuBackend::open_tested`].
pub(super) fn open(
    adapter: &wgpu::Adapter,
    request: &DeviceRequest,
    cache: &DiskCache,
) -> Result<WgpuBackend, BackendError> {
    let checked = request.checks();
    let insisted = request.insisted_rung();
    let software = DeviceInfo::of(adapter).kind == DeviceKind::Software;
    let mut rung = match insisted {
        Some(rung) => rung,
        None if software => Rung::Full,
        None => Rung::Tensor,
    };
    let mut verdicts = Vec::new();
    loop {
        // What the adapter lacks is no matter for a test.
        rung = Rung::of(adapter::capabilities(adapter, rung));
        let context = Arc::new(Context::on(adapter, checked, rung, cache)?);
        let lower = match rung {
            Rung::Tensor => Rung::Half,
            Rung::Half | Rung::Full => Rung::Full,
        };
        if rung != Rung::Full {
            let verdict = verdict(&context, rung, cache);
            if let Some(reason) = &verdict.trouble {
                tracing::warn!(
                    "{}: rung {rung} fails its self-test: {reason}",
                    context.info.name
                );
            }
            let refused = !verdict.passed() && insisted.is_none();
            verdicts.push(verdict);
            if refused {
                rung = lower;
                continue;
            }
        }
        return Ok(WgpuBackend { context, verdicts });
    }
}

/// The verdict kept on disk, else a new one.
fn verdict(context: &Arc<Context>, rung: Rung, cache: &DiskCache) -> Verdict {
    let info = &context.info;
    let checked = if context.checked {
        "checked"
    } else {
        "unchecked"
    };
    let key = format!(
        "{}, {}, {}, {rung}, {checked}, {:016x}",
        info.name,
        info.backend,
        info.driver,
        shader::fingerprint()
    );
    let name = file_name("self-test", &key);
    let kept = cache.read(&name, &key);
    if let Some(verdict) = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return verdict;
    }
    let start = Instant::now();
    let error = network_error(context);
    // A device that was lost or full says nothing about the next time.
    let lasting = error.is_ok();
    let verdict = judge(rung, error);
    tracing::debug!(
        "self-test of {rung} on {}: {verdict:?}, {:.0?}",
        info.name,
        start.elapsed()
    );
    let bytes = serde_json::to_vec(&verdict).unwrap_or_default();
    if lasting && let Err(error) = cache.write(&name, &key, &bytes) {
        tracing::debug!("the self-test's verdict is not kept: {error}");
    }
    verdict
}

/// From an error, or the lack of one, to a verdict.
fn judge(rung: Rung, error: Result<f64, BackendError>) -> Verdict {
    let (error, trouble) = match error {
        Err(error) => (None, Some(error.to_string())),
        Ok(error) if !error.is_finite() => (None, Some("results are not finite".to_owned())),
        Ok(error) if error > BOUND => (
            Some(error),
            Some(format!(
                "results differ by {error:.3} of the network's change, allowed {BOUND}"
            )),
        ),
        Ok(error) => (Some(error), None),
    };
    Verdict {
        rung,
        error,
        trouble,
    }
}

/// Relative difference between the device's and the processor's results.
fn network_error(context: &Arc<Context>) -> Result<f64, BackendError> {
    let refused = |e: crate::network::NetworkError| context.refused("the self-test", e);
    let network = Network::build(&Preset::Base.config(), 1, SIZE.0, SIZE.1).map_err(refused)?;
    let mut weights = initial_weights(&network.parameters, 1);
    // Untrained weights are partly zero (an untrained network changes nothing): move all a little.
    for (w, parameter) in weights.iter_mut().zip(&network.parameters) {
        let size = match parameter.dims.len() {
            1 => 0.02,
            _ => 0.2 / (parameter.dims[1..].iter().product::<usize>() as f32).sqrt(),
        };
        for (i, w) in w.iter_mut().enumerate() {
            *w += size * ((i as f32 * 0.618_034).fract() - 0.5);
        }
    }
    let input: Vec<f32> = (0..SIZE.0 * SIZE.1 * 3)
        .map(|i| 0.5 + 0.3 * (i as f32 * 0.7).sin() + 0.1 * (i as f32 * 0.013).cos())
        .collect();
    let graph = fuse(network.graph);
    let (expected, got) = rayon::join(
        || CpuBackend.load(&weights)?.prepare(&graph)?.run(&[&input]),
        || {
            let model = WgpuModel::new(context, &weights)?;
            model.prepare_program(&graph)?.run(&[&input])
        },
    );
    Ok(relative_error(&got?[0], &expected?[0], &input))
}

/// ‖got − expected‖ / ‖expected − input‖: what the residual around the network passes on
/// counts for nothing. Not finite when `got` is not.
fn relative_error(got: &[f32], expected: &[f32], input: &[f32]) -> f64 {
    let (mut difference, mut change) = (0.0, 0.0);
    for ((&g, &e), &x) in got.iter().zip(expected).zip(input) {
        difference += f64::from(g - e).powi(2);
        change += f64::from(e - x).powi(2);
    }
    (difference / change).sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn adapter() -> wgpu::Adapter {
        let request = DeviceRequest {
            allow_software: true,
            ..Default::default()
        };
        adapter::choose(&adapter::instance(), &request).expect("a device")
    }

    #[test]
    fn verdicts_follow_the_error() {
        assert!(judge(Rung::Half, Ok(BOUND / 2.0)).passed());
        let far = judge(Rung::Half, Ok(1.0));
        assert!(!far.passed() && far.trouble.unwrap().contains("1.000"));
        let nan = judge(Rung::Tensor, Ok(f64::NAN));
        assert!(!nan.passed() && nan.error.is_none());
        let error = BackendError::NoDevice {
            wanted: "abacus".to_owned(),
        };
        assert!(
            judge(Rung::Half, Err(error))
                .trouble
                .unwrap()
                .contains("abacus")
        );
        assert!(relative_error(&[f32::NAN, 1.0], &[0.0, 1.0], &[0.5, 0.5]).is_nan());
        assert_eq!(relative_error(&[1.0, 2.0], &[1.0, 2.0], &[0.0, 0.0]), 0.0);
    }

    #[test]
    fn thirty_two_bits_pass_with_room() {
        let context = Context::on(&adapter(), false, Rung::Full, &DiskCache::user()).unwrap();
        let error = network_error(&Arc::new(context)).unwrap();
        assert!(error < 1e-3, "{error}");
    }

    #[test]
    fn the_verdict_is_kept_and_believed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::at(folder.path().to_owned());
        let adapter = adapter();
        let context = Arc::new(Context::on(&adapter, false, Rung::Full, &cache).unwrap());
        // Asked as for a higher rung, so that a kept failure can be told from a new verdict.
        let first = verdict(&context, Rung::Half, &cache);
        assert!(first.passed() && first.error.is_some());
        let files = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
            names
                .filter(|n| n.starts_with("self-test"))
                .collect::<Vec<_>>()
        };
        let [name] = files().try_into().unwrap();
        let start = Instant::now();
        assert_eq!(verdict(&context, Rung::Half, &cache), first);
        assert!(start.elapsed().as_millis() < 100, "read, not run");
        // Damaged: found out anew.
        std::fs::write(folder.path().join(name), "nonsense").unwrap();
        assert!(verdict(&context, Rung::Half, &cache).passed());
    }

    #[test]
    fn software_stays_with_32_bits_and_insisting_wins() {
        let adapter = adapter();
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::at(folder.path().to_owned());
        let insist = |rung| DeviceRequest {
            rung,
            ..Default::default()
        };
        if insist(None).insisted_rung().is_some() {
            // The environment insists already.
            return;
        }
        let backend = open(&adapter, &insist(Some(Rung::Full)), &cache).unwrap();
        assert_eq!((backend.rung(), backend.verdicts().len()), (Rung::Full, 0));
        if DeviceInfo::of(&adapter).kind == DeviceKind::Software {
            let backend = open(&adapter, &insist(None), &cache).unwrap();
            assert_eq!((backend.rung(), backend.verdicts().len()), (Rung::Full, 0));
        }
    }
}
