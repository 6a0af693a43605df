//! What a device can do at most: copying and plain arithmetic.

use std::time::Instant;

use wgpu::BufferUsages;

use super::WgpuBackend;
use super::context::Context;
use super::dispatch::{Access, Constant};
use super::executable::{encode, encoder};
use super::lower::flat_groups;
use super::pipeline::{PipelineKey, Slice};
use super::profile::time;
use crate::backend::BackendError;
use crate::graph::Graph;

/// Memory that the driver has set aside for the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Allocated {
    /// Bytes of all buffers that exist.
    pub used: u64,
    /// Bytes of the blocks they were cut from.
    pub reserved: u64,
}

/// An operation whose rate can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// 32-bit fused multiply–add; counts as two operations.
    Fma,
    /// 32-bit power of two; counts as one.
    Exp2,
}

/// Time a measurement is made to last where the device allows it, in seconds.
const LONG: f64 = 0.02;

impl WgpuBackend {
    /// Memory of the device that the engine holds now; nothing where the driver does not say.
    pub fn allocated(&self) -> Option<Allocated> {
        // What was dropped is given back in a poll.
        let _ = self.context.device.poll(wgpu::PollType::Poll);
        let report = self.context.device.generate_allocator_report()?;
        Some(Allocated {
            used: report.total_allocated_bytes,
            reserved: report.total_reserved_bytes,
        })
    }

    /// Bytes a second that a kernel which only copies moves, reads and writes both counted.
    ///
    /// # Errors
    /// [`BackendError`] when the device has no room or fails.
    pub fn copy_rate(&self) -> Result<f64, BackendError> {
        let context = &self.context;
        // Much more than any cache holds.
        let bytes = if context.is_software() { 16 } else { 256 } << 20;
        let (from, to) = (
            context.buffer("the copy's source", bytes, BufferUsages::STORAGE)?,
            context.buffer("the copy's target", bytes, BufferUsages::STORAGE)?,
        );
        let usage = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
        let params = context.buffer("the copy's parameters", 16, usage)?;
        let vectors = (bytes / 16) as usize;
        let words = [vectors as u32, 0, 0, 0];
        context
            .queue
            .write_buffer(&params, 0, bytemuck::cast_slice(&words));
        // The identity as a kernel: what copies of buffers get is up to other parts of the
        // device, and may be a third of it.
        let constants = [("VEC4", true.into()), ("ACTIVATION", 0u32.into())];
        let launch = context.launch(
            "measuring copies",
            &PipelineKey::new("activation", &constants, vec![Access::Read, Access::Write]),
            &Slice::whole(&params),
            &[Slice::whole(&from), Slice::whole(&to)],
            flat_groups(vectors),
        )?;
        let copies = |count: usize| -> Result<f64, BackendError> {
            let start = Instant::now();
            let mut encoder = encoder(context);
            (0..count).for_each(|_| encode(&mut encoder, std::slice::from_ref(&launch)));
            context.wait(context.queue.submit([encoder.finish()]))?;
            Ok(start.elapsed().as_secs_f64())
        };
        copies(1)?;
        let one = copies(1)?;
        let count = ((LONG / one.max(1e-6)) as usize).clamp(4, 256);
        // Two lengths, so that what a submission costs drops out.
        let (short, long) = (copies(count / 4)?, copies(count)?);
        from.destroy();
        to.destroy();
        let seconds = (long - short).max(1e-9) / (count - count / 4) as f64;
        Ok(2.0 * bytes as f64 / seconds)
    }

    /// Operations a second of plain 32-bit arithmetic in registers.
    ///
    /// # Errors
    /// [`BackendError::Refused`] when the device has no timestamps; else when it fails.
    pub fn arithmetic_rate(&self, arithmetic: Arithmetic) -> Result<f64, BackendError> {
        let context = &self.context;
        let groups: u32 = if context.is_software() { 8 } else { 8192 };
        let mut rounds = 256;
        loop {
            let seconds = chains(context, arithmetic, groups, rounds)?;
            if seconds * 4.0 < LONG && rounds < 1 << 20 {
                rounds *= 4;
                continue;
            }
            let links = 16.0 * 256.0 * f64::from(groups) * f64::from(rounds);
            let each = match arithmetic {
                Arithmetic::Fma => 2.0,
                Arithmetic::Exp2 => 1.0,
            };
            return Ok(each * links / seconds.max(1e-9));
        }
    }
}

/// Time of one launch of `rates`, in seconds.
fn chains(
    context: &Context,
    arithmetic: Arithmetic,
    groups: u32,
    rounds: u32,
) -> Result<f64, BackendError> {
    let storage = BufferUsages::STORAGE;
    let sums = context.buffer("the rates' sums", 4 * 256 * u64::from(groups), storage)?;
    let usage = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
    let params = context.buffer("the rates' parameters", 16, usage)?;
    let words = [0.5f32.to_bits(), rounds, 0, 0];
    context
        .queue
        .write_buffer(&params, 0, bytemuck::cast_slice(&words));
    let constants = [("EXP2", Constant::from(arithmetic == Arithmetic::Exp2))];
    let launch = context.launch(
        "measuring arithmetic",
        &PipelineKey::new("rates", &constants, vec![Access::Write]),
        &Slice::whole(&params),
        &[Slice::whole(&sums)],
        [groups, 1, 1],
    )?;
    let rows = time(context, &Graph::new(), &[&launch])?;
    sums.destroy();
    Ok(rows.iter().map(|r| r.microseconds).sum::<f64>() / 1e6)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::DeviceRequest;
    use super::*;

    #[test]
    fn rates_are_those_of_a_machine() {
        let backend = WgpuBackend::open(&DeviceRequest {
            allow_software: true,
            ..Default::default()
        })
        .unwrap();
        let copy = backend.copy_rate().unwrap();
        assert!((1e8..1e14).contains(&copy), "{copy:e} bytes/s");
        for arithmetic in [Arithmetic::Fma, Arithmetic::Exp2] {
            let rate = backend.arithmetic_rate(arithmetic).unwrap();
            assert!((1e6..1e15).contains(&rate), "{arithmetic:?}: {rate:e}/s");
        }
    }

    #[test]
    fn memory_in_use_grows_with_a_buffer() {
        let backend = WgpuBackend::open(&DeviceRequest {
            allow_software: true,
            ..Default::default()
        })
        .unwrap();
        // Only some drivers tell.
        let Some(before) = backend.allocated() else {
            return;
        };
        let bytes = 5 << 20;
        let buffer = backend
            .context
            .buffer("test", bytes, BufferUsages::STORAGE)
            .unwrap();
        let after = backend.allocated().unwrap();
        assert!(after.used >= before.used + bytes, "{before:?} {after:?}");
        assert!(after.reserved >= after.used);
        drop(buffer);
    }
}
