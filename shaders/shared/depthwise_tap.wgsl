// Tap k of the channels of a lane, from weights in their own order, [channel][k].
fn tap(channel: u32, k: u32) -> V {
#if VEC4
    let at = channel * 36u + k;
    return V(w[at], w[at + 9u], w[at + 18u], w[at + 27u]);
#else
#if VEC2
    let at = channel * 18u + k;
    return V(w[at], w[at + 9u]);
#else
    return w[channel * 9u + k];
#endif
#endif
}
