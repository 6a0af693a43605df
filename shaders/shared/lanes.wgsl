// V: what one lane holds, 4 neighbouring channels when VEC4, 2 when VEC2, else 1.
// Everything written with V() splats, + - * / and built-ins holds for both.
#if VEC4
alias V = vec4<f32>;
const WIDTH: u32 = 4u;

// Channel j of a lane.
fn component(v: V, j: u32) -> f32 {
    return v[j];
}

// Sum over the channels of a lane.
fn component_sum(v: V) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}
#else
#if VEC2
alias V = vec2<f32>;
const WIDTH: u32 = 2u;

fn component(v: V, j: u32) -> f32 {
    return v[j];
}

fn component_sum(v: V) -> f32 {
    return v.x + v.y;
}
#else
alias V = f32;
const WIDTH: u32 = 1u;

fn component(v: V, j: u32) -> f32 {
    return v;
}

fn component_sum(v: V) -> f32 {
    return v;
}
#endif
#endif

// How binding i lies in memory: S1, S2 .. are half of V where HALF1, HALF2 .. say so, else V.
// Read binding 1 with V(x[i]), write binding 2 with narrow2(v), which saturates instead of overflowing.
#for I 11
#if HALF$I
#if VEC4
alias S$I = vec4<f16>;
#else
#if VEC2
alias S$I = vec2<f16>;
#else
alias S$I = f16;
#endif
#endif
fn narrow$I(v: V) -> S$I {
    return S$I(clamp(v, V(-65504.0), V(65504.0)));
}
#else
alias S$I = V;
fn narrow$I(v: V) -> V {
    return v;
}
#endif
#endfor
