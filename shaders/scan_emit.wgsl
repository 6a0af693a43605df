// Pass 3 of the selective scan: every chunk again, from the state it starts from.
//
// y = Σ_k C·h + d·v over the DIRECTIONS of one ORDER (0 row-major, 1 column-major):
// a lane runs its chunk forward, then backward on top of what it wrote, so the
// directions' sum needs no memory of its own. ORDER 1 adds to ORDER 0's result.
//
// bindings: 1 v [batch, tokens, D], 2 p [batch, tokens, K·(R+2N)], 3 weights [K, SLOTS, D],
//           4 states [batch, K, chunks, 4·NV, D]: starts of the chunks,
//           5 y like v
// layout:   a workgroup is GROUP_CHUNKS chunks × CHANNEL_LANES lanes over channels
// numerics: 32-bit, in the order of the tokens; v, p, y in 16 bits where HALF
#include index
const STAGED: u32 = RV + 2u * NV;
#include scan
#include scan_decays

@group(0) @binding(1) var<storage, read> v: array<S1>;
@group(0) @binding(2) var<storage, read> p: array<P2>;
@group(0) @binding(3) var<storage, read> weights: array<C>;
@group(0) @binding(4) var<storage, read> states: array<C>;
@group(0) @binding(5) var<storage, read_write> y: array<S5>;

// v of a token and what y has already, as they are stored; loaded UNROLL tokens ahead,
// whatever for none.
struct Token {
    v: S1,
    y: S5,
    at: u32,
    live: bool,
}

fn load(w: Walk, l: Lane, adds: bool) -> Token {
    var x: Token;
#if WHOLE
    x.live = true;
    x.at = min(w.at, params.batch * params.tokens * DC - 1u);
#else
    x.live = w.index < l.count;
    x.at = select(0u, w.at, x.live);
#endif
    x.v = v[x.at];
    if (adds) { x.y = y[x.at]; }
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

    for (var turn = 0u; turn < DIRECTIONS; turn++) {
        let reverse = (turn == 1u) != (FLIPPED == 1u);
        let adds = columns || turn == 1u;
        let k = ORDER + 2u * turn;
        let c = channel_of(k, l);
        let skip = weight(k, SLOT_SKIP, l);
#for I NV
#for J 4
        var h$I$J = state_of(0u, k, 4u * $Iu + $Ju, l);
#endfor
#endfor
        var w = walk_start(l, columns, reverse);
#for T UNROLL
        var next$T = load(w, l, adds);
        w = walk_next(w, columns);
#endfor
        var fetched = fetch_rows(k, batch, select(0u, params.chunk - SUB, reverse), local);
        for (var done = SUB; done <= params.chunk; done += SUB) {
            workgroupBarrier();
            put_rows(fetched, local);
            workgroupBarrier();
            if (done < params.chunk) {
                fetched = fetch_rows(k, batch, select(done, params.chunk - SUB - done, reverse), local);
            }
            for (var j = 0u; j < SUB; j += UNROLL) {
#for T UNROLL
                let now$T = next$T;
                next$T = load(w, l, adds);
                w = walk_next(w, columns);
#endfor
#for T UNROLL
                let row$T = (l.place * SUB + select(j + $Tu, SUB - 1u - j - $Tu, reverse)) * STAGED;
                let raw$T = delta_input(c, row$T);
                let delta$T = delta_of(raw$T, fading(raw$T));
#endfor
#for T UNROLL
                {
                    let x = select(C(0.0), C(now$T.v), now$T.live);
                    let input = delta$T * x;
                    let d = decays(c, delta$T);
                    var out = skip * x;
                    if (adds) { out += C(now$T.y); }
#for I NV
                    let b$I = rows[row$T + RV + $Iu];
                    let c$I = rows[row$T + RV + NV + $Iu];
#for J 4
                    h$I$J = d.a$I$J * h$I$J + input * b$I[$J];
                    out += h$I$J * c$I[$J];
#endfor
#endfor
                    if (now$T.live) { y[now$T.at] = narrow5(out); }
                }
#endfor
            }
        }
    }
}
