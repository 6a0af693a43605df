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

// v of the sub-block, then y; a lane touches only its own column.
var<workgroup> tile: array<f32, SUB * LANES>;

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

    for (var turn = 0u; turn < DIRECTIONS; turn++) {
        let reverse = turn == 1u;
        let k = ORDER + 2u * turn;
        let c = channel_of(k, l);
        let skip = weight(k, SLOT_SKIP, l);
        var h: array<vec4<f32>, NV>;
        if (l.live) {
            for (var i = 0u; i < NV; i++) {
                h[i] = states[state_index(0u, k, l) + i * D];
            }
        }
        for (var done = 0u; done < params.chunk; done += SUB) {
            let offset = select(done, params.chunk - SUB - done, reverse);
            let first = l.chunk * params.chunk + offset;
            workgroupBarrier();
            stage_rows(k, batch, chunk_group, offset, local);
            var w = walk_to(first, columns);
            for (var s = 0u; s < SUB; s++) {
                var x = 0.0;
                if (l.live && first + s < params.tokens) {
                    x = v[(batch * params.tokens + w.token) * D + l.channel];
                }
                tile[s * LANES + local] = x;
                w = walk_next(w, columns);
            }
            workgroupBarrier();
            for (var j = 0u; j < SUB; j++) {
                let s = select(j, SUB - 1u - j, reverse);
                let row = (l.place * SUB + s) * STAGED;
                let delta = select(0.0, delta_of(delta_input(c, row)), first + s < params.tokens);
                let x = tile[s * LANES + local];
                let input = delta * x;
                var a = decays(c, delta);
                var out = skip * x;
                for (var i = 0u; i < NV; i++) {
                    h[i] = a[i] * h[i] + input * rows[row + RV + i];
                    out += dot(h[i], rows[row + RV + NV + i]);
                }
                tile[s * LANES + local] = out;
            }
            w = walk_to(first, columns);
            for (var s = 0u; s < SUB; s++) {
                if (l.live && first + s < params.tokens) {
                    let at = (batch * params.tokens + w.token) * D + l.channel;
                    var out = tile[s * LANES + local];
                    if (ORDER == 1u || reverse) {
                        out += y[at];
                    }
                    y[at] = out;
                }
                w = walk_next(w, columns);
            }
        }
    }
}
