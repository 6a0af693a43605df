//! Static memory plan: which buffer every intermediate lives in.
//!
//! Values whose lives do not overlap share a buffer. A plan is made once for a
//! (graph, size) pair; nothing is allocated while it runs. Buffers are kept
//! apart rather than cut from one arena, because a GPU dispatch may not bind
//! one buffer for reading and for writing at once.

/// Index of a buffer in a [`MemoryPlan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// One step of a program over values numbered from zero.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Values read; they must have been written by an earlier step.
    pub reads: Vec<usize>,
    /// Values written for the first time here.
    pub writes: Vec<usize>,
    /// Bytes of each temporary that lives only during this step.
    pub scratch: Vec<u64>,
}

/// Where everything lives.
#[derive(Clone, Debug, Default)]
pub struct MemoryPlan {
    /// Bytes of each buffer.
    pub buffers: Vec<u64>,
    /// Buffer of each value; `None` for values the plan does not own.
    pub values: Vec<Option<BufferId>>,
    /// Buffers of each step's temporaries.
    pub scratch: Vec<Vec<BufferId>>,
}

impl MemoryPlan {
    /// Bytes of all buffers together.
    pub fn total_bytes(&self) -> u64 {
        self.buffers.iter().sum()
    }
}

/// Assigns buffers by liveness: a freed buffer is reused by the value that fits it best.
///
/// `sizes[v]` is the bytes of value `v`, or `None` for values that live outside
/// (inputs, parameters); `keep` are values that must survive to the end.
pub fn plan_memory(steps: &[Step], sizes: &[Option<u64>], keep: &[usize]) -> MemoryPlan {
    let mut last = vec![0usize; sizes.len()];
    for (i, step) in steps.iter().enumerate() {
        for &v in step.reads.iter().chain(&step.writes) {
            last[v] = i;
        }
    }
    for &v in keep {
        last[v] = usize::MAX;
    }
    let mut pool = Pool::default();
    let mut values = vec![None; sizes.len()];
    let mut scratch = Vec::with_capacity(steps.len());
    for (i, step) in steps.iter().enumerate() {
        for &v in &step.writes {
            if let (None, Some(bytes)) = (values[v], sizes[v]) {
                values[v] = Some(pool.take(bytes));
            }
        }
        let temporaries: Vec<_> = step.scratch.iter().map(|&bytes| pool.take(bytes)).collect();
        for &id in &temporaries {
            pool.give(id);
        }
        scratch.push(temporaries);
        let mut ended: Vec<usize> = step.reads.iter().chain(&step.writes).copied().collect();
        ended.sort_unstable();
        ended.dedup();
        for v in ended {
            if let Some(id) = values[v].filter(|_| last[v] == i) {
                pool.give(id);
            }
        }
    }
    MemoryPlan {
        buffers: pool.sizes,
        values,
        scratch,
    }
}

/// Buffers made so far and which of them are free.
#[derive(Default)]
struct Pool {
    sizes: Vec<u64>,
    free: Vec<BufferId>,
}

impl Pool {
    /// The smallest free buffer that holds `bytes`; else the largest free one, grown; else a new one.
    fn take(&mut self, bytes: u64) -> BufferId {
        let fits = (0..self.free.len())
            .filter(|&i| self.sizes[self.free[i].0] >= bytes)
            .min_by_key(|&i| self.sizes[self.free[i].0]);
        // Growing costs only the difference, a new buffer costs all of it.
        let slot =
            fits.or_else(|| (0..self.free.len()).max_by_key(|&i| self.sizes[self.free[i].0]));
        match slot {
            Some(i) => {
                let id = self.free.swap_remove(i);
                self.sizes[id.0] = self.sizes[id.0].max(bytes);
                id
            }
            None => {
                self.sizes.push(bytes);
                BufferId(self.sizes.len() - 1)
            }
        }
    }

    fn give(&mut self, id: BufferId) {
        self.free.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(reads: &[usize], writes: &[usize], scratch: &[u64]) -> Step {
        Step {
            reads: reads.to_vec(),
            writes: writes.to_vec(),
            scratch: scratch.to_vec(),
        }
    }

    #[test]
    fn a_chain_needs_two_buffers() {
        let steps: Vec<_> = (0..9).map(|i| step(&[i], &[i + 1], &[])).collect();
        let mut sizes = vec![Some(64); 10];
        sizes[0] = None;
        let plan = plan_memory(&steps, &sizes, &[9]);
        assert_eq!(plan.buffers, vec![64, 64]);
        assert_eq!(plan.values[0], None);
    }

    #[test]
    fn live_values_and_scratch_never_share() {
        // 1 is read at the end, so 2 and 3 and the scratch must avoid it.
        let steps = [
            step(&[0], &[1], &[]),
            step(&[1], &[2], &[32]),
            step(&[2], &[3], &[]),
            step(&[1, 3], &[4], &[]),
        ];
        let sizes = [None, Some(64), Some(64), Some(64), Some(64)];
        let plan = plan_memory(&steps, &sizes, &[4]);
        let of = |v: usize| plan.values[v].unwrap_or(BufferId(usize::MAX));
        assert_ne!(of(1), of(2));
        assert_ne!(of(1), of(3));
        assert_ne!(plan.scratch[1][0], of(1));
        assert_ne!(plan.scratch[1][0], of(2));
        assert_ne!(of(2), of(3));
    }

    #[test]
    fn a_value_never_read_is_still_written_somewhere_safe() {
        let steps = [step(&[0], &[1, 2], &[]), step(&[1], &[3], &[])];
        let sizes = [None, Some(8), Some(8), Some(8)];
        let plan = plan_memory(&steps, &sizes, &[3]);
        assert_ne!(plan.values[1], plan.values[2]);
        assert_ne!(plan.values[3], plan.values[1]);
    }
}
