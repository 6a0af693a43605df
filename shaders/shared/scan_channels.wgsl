// C: what one lane of the scan holds, two neighbouring channels when PAIR, else one;
// S1 .. S8: how C lies in the storage of binding 1 .. 8 (16 bits where HALF1 .. HALF8);
// E1 .. E8: one element of them; P2, P8: the unit in which p and its gradient are moved.
#if PAIR
alias C = vec2<f32>;
const CHANNELS: u32 = 2u;
const DC: u32 = D / CHANNELS; // lanes' worth of channels

// Sum of a·b over a lane's channels.
fn channel_dot(a: C, b: C) -> f32 {
    return dot(a, b);
}
#else
alias C = f32;
const CHANNELS: u32 = 1u;
const DC: u32 = D;

fn channel_dot(a: C, b: C) -> f32 {
    return a * b;
}
#endif

#for I 9
#if HALF$I
alias E$I = f16;
#if PAIR
alias S$I = vec2<f16>;
#else
alias S$I = f16;
#endif

// Saturated to 16 bits.
fn narrow$I(x: C) -> S$I {
    return S$I(clamp(x, C(-65504.0), C(65504.0)));
}
#else
alias E$I = f32;
alias S$I = C;

fn narrow$I(x: C) -> S$I {
    return x;
}
#endif
#endfor

#if P_VECTORS
alias P2 = vec4<E2>;
alias P8 = vec4<E8>;
#else
#if P_PAIRS
alias P2 = vec2<E2>;
alias P8 = vec2<E8>;
#else
alias P2 = E2;
alias P8 = E8;
#endif
#endif
