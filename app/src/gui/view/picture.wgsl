// Draws one rectangle of a picture, of two pictures mixed, or of their difference.
//
// Bindings:
//   group 0, binding 0  Look                    what all rectangles of a view share
//   group 0, binding 1  sampler                 linear, clamped
//   group 1, binding 0  texture [h + 2, w + 2]  tile of the first picture, an edge texel all around
//   group 2, binding 0  texture [h + 2, w + 2]  tile of the second picture, the same
// An instance is a rectangle on the screen with the texels at its corners; its four vertices
// come from the vertex index (triangle strip).
//
// Texels are sRGB-encoded with the opacity multiplied in. Mixing and differences work on the
// encoded values, as the restored file does. The target is sRGB-encoded too, unless `linear`.

// Which of the pipelines this is: those of a single tile do without the other's work, which
// counts where the processor draws.
// Two pictures mixed, or their difference; else the first tile alone.
override two: bool = true;
// How texels become pixels: 0 squares, 1 linear, 2 the mean of several, 3 as the scale says.
override filtering: u32 = 3u;

struct Look {
    // Size of the viewport in screen pixels.
    viewport: vec2<f32>,
    // What differences are multiplied by.
    gain: f32,
    // 0 all, 1 red, 2 green, 3 blue.
    channel: u32,
    // The two greys under transparent pixels.
    paper: vec2<f32>,
    // 1 when the target encodes by itself.
    linear: u32,
    padding: u32,
}

struct Instance {
    // Left, top, right, bottom in screen pixels of the viewport.
    @location(0) rectangle: vec4<f32>,
    // Texels of the first tile at the left, top, right and bottom.
    @location(1) first: vec4<f32>,
    // Texels of the second tile at the same places.
    @location(2) second: vec4<f32>,
    // Share of the second picture, 1 for a heat map, screen pixels a texel of each tile.
    @location(3) mix: vec4<f32>,
}

struct Fragment {
    @builtin(position) position: vec4<f32>,
    @location(0) first: vec2<f32>,
    @location(1) second: vec2<f32>,
    @location(2) @interpolate(flat) mix: vec4<f32>,
}

@group(0) @binding(0) var<uniform> look: Look;
@group(0) @binding(1) var smooth_sampler: sampler;
@group(1) @binding(0) var first_tile: texture_2d<f32>;
@group(2) @binding(0) var second_tile: texture_2d<f32>;

@vertex
fn corner(@builtin(vertex_index) vertex: u32, instance: Instance) -> Fragment {
    let right = (vertex & 1u) == 1u;
    let bottom = (vertex & 2u) == 2u;
    let place = pick(instance.rectangle, right, bottom) / look.viewport;
    var out: Fragment;
    out.position = vec4(place.x * 2.0 - 1.0, 1.0 - place.y * 2.0, 0.0, 1.0);
    out.first = pick(instance.first, right, bottom);
    out.second = pick(instance.second, right, bottom);
    out.mix = instance.mix;
    return out;
}

fn pick(corners: vec4<f32>, right: bool, bottom: bool) -> vec2<f32> {
    return select(corners.xy, corners.zw, vec2(right, bottom));
}

// The tile's colour at a texel position, `scale` screen pixels a texel.
fn colour(tile: texture_2d<f32>, at: vec2<f32>, scale: f32) -> vec4<f32> {
    let size = vec2<f32>(textureDimensions(tile));
    if filtering == 0u || (filtering == 3u && scale >= 2.0) {
        // Texels stay squares; only the screen pixel on an edge between two is mixed.
        let edge = floor(at + 0.5);
        let inside = clamp((at - edge) * scale, vec2(-0.5), vec2(0.5));
        return textureSampleLevel(tile, smooth_sampler, (edge + inside) / size, 0.0);
    }
    if filtering == 1u || (filtering == 3u && scale > 0.9) {
        return textureSampleLevel(tile, smooth_sampler, at / size, 0.0);
    }
    // A screen pixel covers up to 2 x 2 texels: the mean of four places in it.
    let step = 0.25 / scale;
    var sum = vec4(0.0);
    for (var i = 0u; i < 4u; i++) {
        let side = vec2(f32(i & 1u), f32(i >> 1u)) * 2.0 - 1.0;
        sum += textureSampleLevel(tile, smooth_sampler, (at + side * step) / size, 0.0);
    }
    return sum * 0.25;
}

// Opaque colour: what shines through is squares of two greys.
fn on_paper(c: vec4<f32>, position: vec2<f32>) -> vec3<f32> {
    let square = vec2<u32>(position / 8.0);
    let paper = select(look.paper.x, look.paper.y, ((square.x + square.y) & 1u) == 1u);
    return c.rgb + (1.0 - c.a) * paper;
}

// Black, violet, red, yellow, white for 0 to 1: matplotlib's "inferno" as a polynomial.
fn heat(value: f32) -> vec3<f32> {
    let t = clamp(value, 0.0, 1.0);
    let c0 = vec3(0.0002189403691192265, 0.001651004631001012, -0.01948089843709184);
    let c1 = vec3(0.1065134194856116, 0.5639564367884091, 3.932712388889277);
    let c2 = vec3(11.60249308247187, -3.972853965665698, -15.9423941062914);
    let c3 = vec3(-41.70399613139459, 17.43639888205313, 44.35414519872813);
    let c4 = vec3(77.162935699427, -33.40235894210092, -81.80730925738993);
    let c5 = vec3(-71.31942824499214, 32.62606426397723, 73.20951985803202);
    let c6 = vec3(25.13112622477341, -12.24266895238567, -23.07032500287172);
    return clamp(c0 + t * (c1 + t * (c2 + t * (c3 + t * (c4 + t * (c5 + t * c6))))), vec3(0.0), vec3(1.0));
}

fn decoded(c: vec3<f32>) -> vec3<f32> {
    let high = pow((c + 0.055) / 1.055, vec3(2.4));
    return select(high, c / 12.92, c <= vec3(0.04045));
}

@fragment
fn pixel(in: Fragment) -> @location(0) vec4<f32> {
    let difference = two && in.mix.y > 0.5;
    var shown = on_paper(colour(first_tile, in.first, in.mix.z), in.position.xy);
    if two {
        let a = shown;
        let b = on_paper(colour(second_tile, in.second, in.mix.w), in.position.xy);
        shown = mix(a, b, in.mix.x);
        if difference {
            shown = abs(shown - a);
        }
    }
    if look.channel > 0u {
        shown = vec3(shown[look.channel - 1u]);
    }
    if difference {
        shown = heat(max(shown.r, max(shown.g, shown.b)) * look.gain);
    }
    if look.linear == 1u {
        shown = decoded(shown);
    }
    return vec4(shown, 1.0);
}
