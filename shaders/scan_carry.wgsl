// Pass 2 of the selective scan: the state each chunk starts from.
//
// In place: states[c] <- H_c with H_0 = 0, H_{c+1} = exp(A·ΣΔ_c) H_c + states[c],
// over the chunks in the direction's order; kind 1 (the reverse scan of the
// backward pass, same decays) in the opposite order.
//
// bindings: 1 weights [K, SLOTS, D], 2 sums [batch, K, chunks, D],
//           3 states [KINDS, batch, K, chunks, 4·NV, D]
// layout:   256 lanes = SEGMENTS runs of chunks × COLUMNS of the 4·NV·D columns, a V each, of
//           one kind, picture and direction (columns fastest): each lane adds up
//           its run, every run is started from the runs before it, then gone
//           through again. 8 chunks are loaded at once; SHORT: a run has no more,
//           and they are kept.
// numerics: 32-bit, in a fixed order
#include index
#include lanes

struct Params {
    batch: u32,
    chunks: u32,
    run: u32, // chunks of a run
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<V>;
@group(0) @binding(2) var<storage, read> sums: array<V>;
@group(0) @binding(3) var<storage, read_write> states: array<V>;

const DV: u32 = D / WIDTH; // lanes' worth of channels
const ROW: u32 = 4u * NV * DV;
const BLOCKS: u32 = (ROW + COLUMNS - 1u) / COLUMNS;
#if TIED
const SLOTS: u32 = R + 3u;
#else
const SLOTS: u32 = R + 2u + N;
#endif

var<workgroup> run_states: array<V, COLUMNS * SEGMENTS>;
var<workgroup> run_sums: array<V, COLUMNS * SEGMENTS>;

// A·log2(e) of a state and channels; states past the last stay 0 whatever their decay.
fn decay_of(k: u32, column: u32) -> V {
    let n = column / DV;
    let at = (k * SLOTS + R + 2u) * DV + column % DV;
#if TIED
    return weights[at] * f32(n + 1u);
#else
    return weights[at + min(n, N - 1u) * DV];
#endif
}

// The chunk at a place of the direction's order, or the last before `end`: loads in no branch.
fn chunk_at(place: u32, end: u32, flip: bool) -> u32 {
    let inside = min(place, end - 1u);
    return select(inside, params.chunks - 1u - inside, flip);
}

@compute @workgroup_size(COLUMNS * SEGMENTS)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var group = folded(id, num);
    let column = (group % BLOCKS) * COLUMNS + local % COLUMNS;
    let segment = local / COLUMNS;
    group /= BLOCKS;
    let k = group % K;
    let sequence = group % (params.batch * K); // picture and direction
    let kind = group / (params.batch * K);
    if (kind >= KINDS) {
        return;
    }
    let flip = ((k >= 2u) != (kind == 1u)) != (FLIPPED == 1u);
    let live = column < ROW;
    // Lanes past the last column follow it, and write nothing.
    let held = min(column, ROW - 1u);
    let a = decay_of(k, held);
    let begin = min(segment * params.run, params.chunks);
    let end = min(begin + params.run, params.chunks);
    let sums_at = sequence * params.chunks * DV + held % DV;
    let states_at = group * params.chunks * ROW + held;

    var h = V(0.0);
    var total = V(0.0);
#if SHORT
    let first = begin;
#else
    for (var first = begin; first < end; first += 8u) {
#endif
#for I 8
        let at$I = chunk_at(first + $Iu, end, flip);
        let delta$I = sums[sums_at + at$I * DV];
        let loaded$I = states[states_at + at$I * ROW];
#endfor
#for I 8
        if (first + $Iu < end) {
            h = exp2(a * delta$I) * h + loaded$I;
            total += delta$I;
        }
#endfor
#if !SHORT
    }
#endif
    // What the runs up to this one hand on, in log2(SEGMENTS) steps.
    run_states[local] = h;
    run_sums[local] = total;
    workgroupBarrier();
    for (var step = COLUMNS; step < COLUMNS * SEGMENTS; step *= 2u) {
        let reaches = local >= step;
        let before = select(0u, local - step, reaches);
        let run_state = run_states[before];
        let run_sum = run_sums[before];
        workgroupBarrier();
        if (reaches) {
            h += exp2(a * total) * run_state;
            total += run_sum;
            run_states[local] = h;
            run_sums[local] = total;
        }
        workgroupBarrier();
    }
    if (!live) {
        return;
    }
    h = select(V(0.0), run_states[select(0u, local - COLUMNS, segment > 0u)], segment > 0u);
#if !SHORT
    for (var first = begin; first < end; first += 8u) {
#for I 8
        let at$I = chunk_at(first + $Iu, end, flip);
        let delta$I = sums[sums_at + at$I * DV];
        let loaded$I = states[states_at + at$I * ROW];
#endfor
#endif
#for I 8
        if (first + $Iu < end) {
            states[states_at + at$I * ROW] = h;
            h = exp2(a * delta$I) * h + loaded$I;
        }
#endfor
#if !SHORT
    }
#endif
}
