// Sums over the COLUMN_LANES lanes (a power of two up to 64) that share a
// token in a workgroup of 256. With SUBGROUPS those lanes lie in one subgroup and exchange
// values. Else each lane reads groups of 8 from workgroup memory instead of halving a
// tree: one barrier up to 8 lanes, two up to 64; and then
// a slot must not be used again before another slot's sum: consecutive sums
// then need no barrier in between. SUMS is the number of slots.
#if SUBGROUPS
fn token_sum(slot: u32, value: f32, local: u32) -> f32 {
    var sum = value;
    for (var stride = 1u; stride < COLUMN_LANES; stride *= 2u) {
        sum += subgroupShuffleXor(sum, stride);
    }
    return sum;
}

fn token_sum3(slot: u32, value: vec3<f32>, local: u32) -> vec3<f32> {
    var sum = value;
    for (var stride = 1u; stride < COLUMN_LANES; stride *= 2u) {
        sum += subgroupShuffleXor(sum, stride);
    }
    return sum;
}
#else
var<workgroup> token_sums: array<f32, SUMS * 512u>;

// The lanes that are added in the step of this stride: x the first, y how many.
fn token_group(stride: u32, local: u32) -> vec2<u32> {
    let lanes = min(8u, COLUMN_LANES / stride);
    return vec2<u32>(local - local % (lanes * stride) + local % stride, lanes);
}

// Must be called by the whole workgroup; every lane of a token gets the sum.
fn token_sum(slot: u32, value: f32, local: u32) -> f32 {
    var sum = value;
    var at = slot * 512u;
    for (var stride = 1u; stride < COLUMN_LANES; stride *= 8u) {
        token_sums[at + local] = sum;
        workgroupBarrier();
        let lanes = token_group(stride, local);
        sum = 0.0;
        for (var k = 0u; k < lanes.y; k++) {
            sum += token_sums[at + lanes.x + k * stride];
        }
        at += 256u;
    }
    return sum;
}

// Three sums at once in slots slot, slot + 1, slot + 2.
fn token_sum3(slot: u32, value: vec3<f32>, local: u32) -> vec3<f32> {
    var sum = value;
    var at = slot * 512u;
    for (var stride = 1u; stride < COLUMN_LANES; stride *= 8u) {
        token_sums[at + local] = sum.x;
        token_sums[at + 512u + local] = sum.y;
        token_sums[at + 1024u + local] = sum.z;
        workgroupBarrier();
        let lanes = token_group(stride, local);
        sum = vec3<f32>(0.0);
        for (var k = 0u; k < lanes.y; k++) {
            let place = at + lanes.x + k * stride;
            sum += vec3<f32>(token_sums[place], token_sums[place + 512u], token_sums[place + 1024u]);
        }
        at += 256u;
    }
    return sum;
}
#endif
