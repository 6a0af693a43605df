//! Proof that every submission was carried out.
//!
//! Drivers have been seen to drop a submission and say nothing, which leaves a picture black, or
//! with the tile before in its place. So each submission ends with a copy of the run's number
//! into a word of its own; the words come back with the results and must all have it.

use wgpu::{BufferUsages, CommandEncoder};

use super::context::Context;
use super::pipeline::Slice;
use crate::backend::BackendError;

/// Bytes of a word.
const WORD: u64 = 4;

/// The words of one executable.
pub(super) struct Marks {
    /// The number of the present run.
    number: wgpu::Buffer,
    /// One word for the preparation, then one for each submission of a run.
    words: wgpu::Buffer,
    run: u32,
    /// What the first word must be: nothing was done beforehand, or it was done as run 1.
    prepared: u32,
}

impl Marks {
    /// Words for at most so many submissions.
    pub fn new(context: &Context, submissions: usize) -> Result<Self, BackendError> {
        let usage = BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let words = WORD * (submissions as u64 + 1);
        Ok(Self {
            number: context.buffer("the number of a run", WORD, usage)?,
            words: context.buffer("marks of submissions", words, usage)?,
            run: 0,
            prepared: 0,
        })
    }

    /// Where the words come back from.
    pub fn slice(&self) -> Slice {
        Slice::whole(&self.words)
    }

    /// Begins the next run, whose number it gives and which goes out with the next submission.
    pub fn begin(&mut self, context: &Context) -> u32 {
        self.run = self.run.checked_add(1).unwrap_or(1);
        let number = self.run.to_le_bytes();
        context.queue.write_buffer(&self.number, 0, &number);
        self.run
    }

    /// Ends the submission that prepares all runs; [`Marks::begin`] comes before it.
    pub fn mark_preparation(&mut self, encoder: &mut CommandEncoder) {
        self.prepared = self.run;
        encoder.copy_buffer_to_buffer(&self.number, 0, &self.words, 0, WORD);
    }

    /// Ends submission `index` of the run.
    pub fn mark(&self, encoder: &mut CommandEncoder, index: usize) {
        let place = WORD * (index as u64 + 1);
        encoder.copy_buffer_to_buffer(&self.number, 0, &self.words, place, WORD);
    }

    /// Fails unless the words that came back say that the preparation and the first `submissions`
    /// submissions of the run of this `number` were carried out.
    pub fn check(
        &self,
        context: &Context,
        words: &[u8],
        number: u32,
        submissions: usize,
    ) -> Result<(), BackendError> {
        let mut words = words
            .as_chunks::<{ WORD as usize }>()
            .0
            .iter()
            .map(|w| u32::from_le_bytes(*w));
        let prepared = words.next() == Some(self.prepared);
        let done = words.take(submissions).filter(|&w| w == number).count();
        match prepared && done == submissions {
            true => Ok(()),
            false => Err(BackendError::Dropped {
                device: context.info.name.clone(),
                missing: submissions - done + usize::from(!prepared),
                of: submissions + 1,
            }),
        }
    }
}
