// Writes the gradient of p's rows of a sub-block: the sums of shared/scan_fold or shared/scan_sums.
// Needs the binding `gp` [CHANNEL_BLOCKS, batch, tokens, K·(R+2N)] of P8.

// Of the tokens from place `offset` of each chunk: vectors of r (if any) and then of B or C,
// which begin at column `first` of gp.
fn write_sums(k: u32, l: Lane, channel_block: u32, offset: u32, ranks: u32, first: u32, descending: bool, local: u32) {
    let count = ranks + NV;
    for (var i = local; i < GROUP_CHUNKS * SUB * count; i += LANES) {
        let vector = i % count;
        let slot = i / count;
        let at = slot / SUB * params.chunk + offset + slot % SUB;
        if (first_place + at < params.tokens) {
            var sum = sum_of(slot % SUB, slot / SUB, vector, descending);
#if HALF8
            sum = clamp(sum, vec4<f32>(-65504.0), vec4<f32>(65504.0));
#endif
            let out = vec4<E8>(sum);
            var column = 4u * vector;
            var left = R - column;
            if (vector >= ranks) {
                left = N - 4u * (vector - ranks);
                column = first + N - left;
            }
            let token = (channel_block * params.batch + l.batch) * params.tokens
                + token_of(at, ORDER == 1u);
            column += (token * K + k) * PROJECTED;
#if P_VECTORS
            gp[column / 4u] = out;
#else
#if P_PAIRS
            gp[column / 2u] = out.xy;
            if (left > 2u) { gp[column / 2u + 1u] = out.zw; }
#else
            gp[column] = out.x;
            if (left > 1u) { gp[column + 1u] = out.y; }
            if (left > 2u) { gp[column + 2u] = out.z; }
            if (left > 3u) { gp[column + 3u] = out.w; }
#endif
#endif
        }
    }
}
