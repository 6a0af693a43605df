//! Moving operands between the program and the device through buffers made once.

use std::sync::mpsc::{Receiver, TryRecvError, channel};

use rayon::prelude::*;
use wgpu::{BufferUsages, CommandEncoder, MapMode, SubmissionIndex};

use super::context::Context;
use super::pipeline::Slice;
use crate::backend::BackendError;

/// Bytes copied at a time on each core, a multiple of [`wgpu::MAP_ALIGNMENT`].
const PART: usize = 1 << 18;

type Mapped = Receiver<Result<(), wgpu::BufferAsyncError>>;

/// Buffers in which operands travel to the device, used in turn.
///
/// A slot can be written again when the submission that read it is done, so
/// the number of slots also bounds how far the program runs ahead.
pub(super) struct Upload {
    slots: Vec<Slot>,
    next: usize,
    /// Where each operand goes, and its offset in a slot.
    targets: Vec<(Slice, u64)>,
    /// Of a slot.
    bytes: u64,
}

struct Slot {
    buffer: wgpu::Buffer,
    /// The last submission that read it, and word that it is mapped again.
    pending: Option<(SubmissionIndex, Mapped)>,
}

impl Upload {
    /// `slots` buffers with room for all targets.
    pub(super) fn new(
        context: &Context,
        slots: usize,
        targets: &[Slice],
    ) -> Result<Self, BackendError> {
        let mut bytes = 0;
        let mut placed = Vec::with_capacity(targets.len());
        for target in targets {
            placed.push((target.clone(), bytes));
            bytes += target.bytes.next_multiple_of(wgpu::MAP_ALIGNMENT);
        }
        let mut upload = Self {
            slots: Vec::with_capacity(slots),
            next: 0,
            targets: placed,
            bytes: bytes.max(wgpu::MAP_ALIGNMENT),
        };
        upload.grow(context, slots)?;
        Ok(upload)
    }

    /// Makes slots until there are so many; the new ones are filled next.
    pub(super) fn grow(&mut self, context: &Context, slots: usize) -> Result<(), BackendError> {
        while self.slots.len() < slots {
            let buffer = context.scoped("upload buffer", self.bytes, || {
                context.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("upload"),
                    size: self.bytes,
                    usage: BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC,
                    mapped_at_creation: true,
                })
            })?;
            let pending = None;
            self.slots.insert(self.next, Slot { buffer, pending });
        }
        Ok(())
    }

    /// Fills the next slot (waiting for it when it is still in use) and encodes its copies.
    /// [`Upload::sent`] must follow the submission.
    pub(super) fn write(
        &mut self,
        context: &Context,
        encoder: &mut CommandEncoder,
        operands: &[&[u8]],
    ) -> Result<(), BackendError> {
        let slot = &mut self.slots[self.next];
        if let Some((submission, mapped)) = slot.pending.take() {
            context.wait(submission)?;
            await_map(context, &mapped)?;
        }
        for ((_, offset), bytes) in self.targets.iter().zip(operands) {
            // On all cores: one alone fills a tile's memory at a third of what the bus takes.
            let parts = bytes.par_chunks(PART).enumerate();
            let copied: Result<(), _> = parts
                .map(|(i, part)| {
                    let from = *offset + (i * PART) as u64;
                    let place = slot.buffer.slice(from..from + part.len() as u64);
                    place
                        .get_mapped_range_mut()
                        .map(|mut to| to.copy_from_slice(part))
                })
                .collect();
            copied.map_err(|e| context.refused("upload", e))?;
        }
        slot.buffer.unmap();
        for (target, offset) in &self.targets {
            encoder.copy_buffer_to_buffer(
                &slot.buffer,
                *offset,
                &target.buffer,
                target.offset,
                target.bytes,
            );
        }
        Ok(())
    }

    /// The slot just written went out with `submission`: asks for it back.
    pub(super) fn sent(&mut self, submission: SubmissionIndex) {
        let slot = &mut self.slots[self.next];
        let (tell, mapped) = channel();
        slot.buffer.map_async(MapMode::Write, .., move |result| {
            let _ = tell.send(result);
        });
        slot.pending = Some((submission, mapped));
        self.next = (self.next + 1) % self.slots.len();
    }

    /// Bytes of all slots.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.slots.iter().map(|s| s.buffer.size()).sum()
    }
}

/// A buffer through which results come back.
pub(super) struct Readback {
    buffer: wgpu::Buffer,
    sources: Vec<(Slice, u64)>,
}

impl Readback {
    /// A buffer with room for all sources.
    pub(super) fn new(context: &Context, sources: &[Slice]) -> Result<Self, BackendError> {
        let mut bytes = 0;
        let mut placed = Vec::with_capacity(sources.len());
        for source in sources {
            placed.push((source.clone(), bytes));
            bytes += source.bytes.next_multiple_of(wgpu::MAP_ALIGNMENT);
        }
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let buffer = context.buffer("readback buffer", bytes.max(wgpu::MAP_ALIGNMENT), usage)?;
        Ok(Self {
            buffer,
            sources: placed,
        })
    }

    /// Copies the sources back through a buffer made for this one time.
    pub(super) fn once<T: bytemuck::Pod>(
        context: &Context,
        sources: &[Slice],
    ) -> Result<Vec<Vec<T>>, BackendError> {
        let readback = Self::new(context, sources)?;
        let mut encoder = context.device.create_command_encoder(&Default::default());
        readback.copy(&mut encoder);
        let submission = context.queue.submit([encoder.finish()]);
        readback.read(context, submission)
    }

    /// Encodes the copies out of the sources.
    pub(super) fn copy(&self, encoder: &mut CommandEncoder) {
        for (source, offset) in &self.sources {
            encoder.copy_buffer_to_buffer(
                &source.buffer,
                source.offset,
                &self.buffer,
                *offset,
                source.bytes,
            );
        }
    }

    /// Waits for the submission with the copies and hands out each source's bytes.
    pub(super) fn read<T: bytemuck::Pod>(
        &self,
        context: &Context,
        submission: SubmissionIndex,
    ) -> Result<Vec<Vec<T>>, BackendError> {
        self.read_with(context, submission, |parts| {
            parts
                .iter()
                .map(|p| bytemuck::pod_collect_to_vec(p))
                .collect()
        })
    }

    /// Waits for the submission with the copies and makes something of the sources' bytes, where
    /// the device left them.
    pub(super) fn read_with<R>(
        &self,
        context: &Context,
        submission: SubmissionIndex,
        make: impl FnOnce(&[&[u8]]) -> R,
    ) -> Result<R, BackendError> {
        let (tell, mapped) = channel();
        self.buffer.map_async(MapMode::Read, .., move |result| {
            let _ = tell.send(result);
        });
        context.wait(submission)?;
        await_map(context, &mapped)?;
        let unmap = Unmap(&self.buffer);
        let refused = |e: wgpu::MapRangeError| context.refused("readback", e);
        let view = unmap.0.slice(..).get_mapped_range().map_err(refused)?;
        let parts: Vec<&[u8]> = (self.sources.iter())
            .map(|(source, offset)| &view[*offset as usize..(*offset + source.bytes) as usize])
            .collect();
        Ok(make(&parts))
    }
}

/// Gives a mapped buffer back to the device, also where what was made of it ended in a panic.
struct Unmap<'a>(&'a wgpu::Buffer);

impl Drop for Unmap<'_> {
    fn drop(&mut self) {
        self.0.unmap();
    }
}

/// The verdict of a mapping whose submission is done.
fn await_map(context: &Context, mapped: &Mapped) -> Result<(), BackendError> {
    // The callback runs in a poll on some thread, at the latest in the next one here.
    for _ in 0..1000 {
        match mapped.try_recv() {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => return Err(context.refused("mapping a buffer", error)),
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                let _ = context.device.poll(wgpu::PollType::Poll);
                context.check()?;
                std::thread::sleep(std::time::Duration::from_micros(200));
            }
        }
    }
    context.check()?;
    Err(context.refused("mapping a buffer", "the driver did not answer"))
}
