//! Static memory plan: which buffer every intermediate lives in.
//!
//! Values whose lives do not overlap share a buffer. A plan is made once for a
//! (graph, size) pair; nothing is allocated while it runs. Buffers are kept
//! apart rather than cut from one arena, because a GPU dispatch may not bind
//! one buffer for reading and for writing at once.

use std::cmp::Reverse;

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

/// Assigns buffers by liveness, the largest values first and of equal ones those that live longest:
/// each goes into a buffer whose other values live at other times, the one with the least time
/// between, or else into a new one (shared objects, greedy by size: arXiv 2001.03288).
///
/// `sizes[v]` is the bytes of value `v`, or `None` for values that live outside
/// (inputs, parameters); `keep` are values that must survive to the end.
pub fn plan_memory(steps: &[Step], sizes: &[Option<u64>], keep: &[usize]) -> MemoryPlan {
    let mut lives: Vec<Option<Life>> = vec![None; sizes.len()];
    for (i, step) in steps.iter().enumerate() {
        for &v in step.reads.iter().chain(&step.writes) {
            lives[v].get_or_insert(Life { first: i, last: i }).last = i;
        }
    }
    for &v in keep {
        if let Some(life) = &mut lives[v] {
            life.last = usize::MAX;
        }
    }
    // Values, then temporaries in the order of the steps.
    let values = (lives.iter().zip(sizes)).filter_map(|(&life, &bytes)| Some((life?, bytes?)));
    let temporaries = (steps.iter().enumerate()).flat_map(|(i, step)| {
        let life = Life { first: i, last: i };
        step.scratch.iter().map(move |&bytes| (life, bytes))
    });
    let all: Vec<(Life, u64)> = values.chain(temporaries).collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|&i| (Reverse((all[i].1, all[i].0.length())), all[i].0.first));

    let mut buffers: Vec<u64> = Vec::new();
    let mut tenants: Vec<Vec<Life>> = Vec::new();
    let mut places = vec![BufferId(0); all.len()];
    for i in order {
        let (life, bytes) = all[i];
        // All of them are large enough.
        let gap = |place: usize| {
            let gaps = tenants[place].iter().map(|&other| life.gap(other));
            gaps.min().flatten().map(|gap| (gap, place))
        };
        let nearest = (0..buffers.len()).filter_map(gap).min();
        let place = nearest.map_or(buffers.len(), |(_, place)| place);
        if place == buffers.len() {
            buffers.push(bytes);
            tenants.push(Vec::new());
        }
        tenants[place].push(life);
        places[i] = BufferId(place);
    }
    let mut places = places.into_iter();
    MemoryPlan {
        buffers,
        values: (lives.iter().zip(sizes))
            .map(|(life, bytes)| life.and(*bytes).and_then(|_| places.next()))
            .collect(),
        scratch: (steps.iter())
            .map(|step| places.by_ref().take(step.scratch.len()).collect())
            .collect(),
    }
}

/// First and last step that something is needed in.
#[derive(Clone, Copy, Debug)]
struct Life {
    first: usize,
    last: usize,
}

impl Life {
    fn length(self) -> usize {
        self.last - self.first
    }

    /// Steps from the end of one to the start of the other; nothing where they meet.
    fn gap(self, other: Self) -> Option<usize> {
        let after = |a: Self, b: Self| b.first.checked_sub(a.last).filter(|&gap| gap > 0);
        after(self, other).or_else(|| after(other, self))
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
    fn a_small_value_that_comes_first_does_not_take_the_room_of_a_large_one() {
        // In order 1 and 2 would get buffers of 8 and 64, and 3 one of 64 while 2 still lives.
        let steps = [
            step(&[0], &[1], &[]),
            step(&[1], &[2], &[]),
            step(&[2], &[3], &[]),
        ];
        let plan = plan_memory(&steps, &[None, Some(8), Some(64), Some(32)], &[3]);
        assert_eq!(plan.buffers, vec![64, 32]);
        assert_eq!(plan.values[1], plan.values[3]);
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
