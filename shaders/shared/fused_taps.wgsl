// Taps of the slice's channels, [k][four channels], brought by 36 invocations.
var<workgroup> taps: array<vec4<f32>, 36>;

fn keep_taps(column: u32, thread: u32) {
    if thread < 36u {
        let at = (column + 4u * (thread % 4u)) * 9u + thread / 4u;
        taps[thread] = vec4<f32>(w_conv[at], w_conv[at + 9u], w_conv[at + 18u], w_conv[at + 27u]);
    }
}
