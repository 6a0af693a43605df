// Sums over the channels of a workgroup, for the gradient of p's rows, by subgroups of
// SUBGROUP lanes: a lane's vectors of BATCH tokens are folded so that at each exchange a
// lane gives away half of what it holds and adds what it keeps. In the end lane
// 4·BATCH·q + 4·t + j has component j of token t, summed over 4·BATCH lanes: one of PARTS
// parts, which are added as the sub-block is written. A fixed order throughout.
// PARTS = CHANNEL_LANES / (4·BATCH); BATCH is 4 (BATCH4) or 2.
// Needs shared/scan; lanes of a chunk are whole subgroups.

const MOST: u32 = RV + NV; // vectors of a token

var<private> subgroup_lane: u32;
var<workgroup> parts: array<vec4<f32>, (SUB / BATCH) * MOST * (LANES / 4u)>;

// Component lane % 4, summed over 4 lanes.
fn fold_vector(v: vec4<f32>) -> f32 {
    let high = (subgroup_lane & 2u) != 0u;
    let two = select(v.xy, v.zw, high) + subgroupShuffleXor(select(v.zw, v.xy, high), 2u);
    return fold_pair(two.x, two.y, 1u);
}

// x in the lanes without `bit`, y in those with it, each summed over a pair of lanes.
fn fold_pair(x: f32, y: f32, bit: u32) -> f32 {
    let high = (subgroup_lane & bit) != 0u;
    return select(x, y, high) + subgroupShuffleXor(select(y, x, high), bit);
}

// What a lane keeps of one vector's BATCH tokens: that of token lane / 4 % BATCH.
#if BATCH4
fn fold_tokens(a: f32, b: f32, c: f32, d: f32) -> f32 {
    let high = (subgroup_lane & 8u) != 0u;
    let ac = select(a, c, high) + subgroupShuffleXor(select(c, a, high), 8u);
    let bd = select(b, d, high) + subgroupShuffleXor(select(d, b, high), 8u);
    return fold_pair(ac, bd, 4u);
}
#else
fn fold_tokens(a: f32, b: f32) -> f32 {
    return fold_pair(a, b, 4u);
}
#endif

// Keeps the parts of one vector for tokens j .. j + BATCH in the sweep's order.
fn keep_parts(j: u32, vector: u32, local: u32, value: f32) {
    let at = (j / BATCH * MOST + vector) * LANES + local;
    parts[at / 4u][at % 4u] = value;
}

// The sum of a vector for the token at place s of chunk `place`'s sub-block.
fn sum_of(s: u32, place: u32, vector: u32, descending: bool) -> vec4<f32> {
    let turn = select(s, SUB - 1u - s, descending);
    let at = ((turn / BATCH * MOST + vector) * LANES + place * CHANNEL_LANES) / 4u + turn % BATCH;
    var sum = vec4<f32>(0.0);
    for (var part = 0u; part < PARTS; part++) {
        sum += parts[at + part * BATCH];
    }
    return sum;
}
