// Fills the viewport with one colour: large areas of the window, without the texture that
// every rectangle of the interface otherwise reads.
//
// Bindings: none. The instance is the colour as the target keeps it; the three vertices are a
// triangle that covers the viewport.

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) @interpolate(flat) colour: vec4<f32>,
}

@vertex
fn corner(@builtin(vertex_index) vertex: u32, @location(0) colour: vec4<f32>) -> Corner {
    let far = vec2(f32(vertex & 1u), f32(vertex >> 1u)) * 4.0 - 1.0;
    return Corner(vec4(far, 0.0, 1.0), colour);
}

@fragment
fn pixel(in: Corner) -> @location(0) vec4<f32> {
    return in.colour;
}
