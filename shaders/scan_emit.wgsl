// Pass 3 of the selective scan: every chunk again, from the state it starts from.
//
// y = Σ_k C·h + d·v over the DIRECTIONS of one ORDER (0 row-major, 1 column-major):
// a lane runs its chunk forward, then backward on top of what it wrote, so the
// directions' sum needs no memory of its own. ORDER 1 adds to ORDER 0's result.
//
// bindings: 1 v [batch, tokens, D], 2 p [batch, tokens, K·(R+2N)], 3 weights [K, SLOTS, D],
//           4 states [batch, K, chunks, NV, D] vec4: starts of the chunks,
//           5 y like v
// layout:   a workgroup is GROUP_CHUNKS chunks × CHANNEL_LANES channels
// numerics: 32-bit, in the order of the tokens
#include index
const STAGED: u32 = RV + 2u * NV;
#include scan

@group(0) @binding(1) var<storage, read> v: array<f32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read> states: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// v of a token and what y has already; loaded a token ahead.
fn load(w: Walk, adds: bool) -> vec2<f32> {
    var x = vec2<f32>(0.0);
    if (w.live) {
        x.x = v[w.at];
        if (adds) { x.y = y[w.at]; }
    }
    return x;
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var group = folded(id, num);
    let channel_block = group % CHANNEL_BLOCKS;
    group /= CHANNEL_BLOCKS;
    let chunk_group = group % params.chunk_groups;
    let batch = group / params.chunk_groups;
    if (batch >= params.batch) {
        return;
    }
    let columns = ORDER == 1u;
    let l = lane_of(batch, chunk_group, channel_block, local);

    let start = l.chunk * params.chunk;

    for (var turn = 0u; turn < DIRECTIONS; turn++) {
        let reverse = turn == 1u;
        let adds = columns || reverse;
        let k = ORDER + 2u * turn;
        let c = channel_of(k, l);
        let skip = weight(k, SLOT_SKIP, l);
#for I NV
        var h$I = vec4<f32>(0.0);
        if (l.live) { h$I = states[state_index(0u, k, l) + $Iu * D]; }
#endfor
        var w = walk_start(l, start + select(0u, params.chunk - 1u, reverse), columns, reverse);
        var next = load(w, adds);
        for (var done = 0u; done < params.chunk; done += SUB) {
            stage_rows(k, batch, chunk_group, select(done, params.chunk - SUB - done, reverse), local);
            for (var j = 0u; j < SUB; j++) {
                let x = next;
                let last = w;
                w = walk_next(w, l, columns, reverse);
                w.live = w.live && done + j + 1u < params.chunk;
                next = load(w, adds);
                let row = (l.place * SUB + select(j, SUB - 1u - j, reverse)) * STAGED;
                let delta = select(0.0, delta_of(delta_input(c, row)), last.place < params.tokens);
                let input = delta * x.x;
                let d = decays(c, delta);
                var out = x.y + skip * x.x;
#for I NV
                h$I = d.a$I * h$I + input * rows[row + RV + $Iu];
                out += dot(h$I, rows[row + RV + NV + $Iu]);
#endfor
                if (last.live) { y[last.at] = out; }
            }
        }
    }
}
