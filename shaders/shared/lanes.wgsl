// V: what one lane holds, 4 neighbouring channels when VEC4, else 1.
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
alias V = f32;
const WIDTH: u32 = 1u;

fn component(v: V, j: u32) -> f32 {
    return v;
}

fn component_sum(v: V) -> f32 {
    return v;
}
#endif
