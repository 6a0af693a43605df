// Where an element of a deep tensor [B, height, width, f²·CHANNELS] lies in
// the shallow one [B, f·height, f·width, CHANNELS], and back; f = FACTOR.
// Deep channel: (dx·f + dy)·CHANNELS + c when PATCH_MERGE, else c·f² + dy·f + dx.

fn shallow_of_deep(i: u32, width: u32) -> u32 {
    let deep = i % (FACTOR * FACTOR * CHANNELS);
    let pixel = i / (FACTOR * FACTOR * CHANNELS);
#if PATCH_MERGE
    let c = deep % CHANNELS;
    let dy = (deep / CHANNELS) % FACTOR;
    let dx = deep / (CHANNELS * FACTOR);
#else
    let c = deep / (FACTOR * FACTOR);
    let dy = (deep / FACTOR) % FACTOR;
    let dx = deep % FACTOR;
#endif
    let x = (pixel % width) * FACTOR + dx;
    // Batch and row together: both tensors are contiguous over them.
    let y = (pixel / width) * FACTOR + dy;
    return (y * width * FACTOR + x) * CHANNELS + c;
}

fn deep_of_shallow(i: u32, width: u32) -> u32 {
    let c = i % CHANNELS;
    let pixel = i / CHANNELS;
    let x = pixel % (width * FACTOR);
    let y = pixel / (width * FACTOR);
    let dx = x % FACTOR;
    let dy = y % FACTOR;
#if PATCH_MERGE
    let deep = (dx * FACTOR + dy) * CHANNELS + c;
#else
    let deep = (c * FACTOR + dy) * FACTOR + dx;
#endif
    return ((y / FACTOR) * width + x / FACTOR) * (FACTOR * FACTOR * CHANNELS) + deep;
}
