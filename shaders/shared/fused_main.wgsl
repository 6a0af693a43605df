// The beginning of every fused kernel, which goes on after it: the workgroup's tile and the
// invocation's number, `thread`.
@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) num: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    // Not folded(): naga takes the result of a function for non-uniform.
    let tile = id.y * num.x + id.x;
    if tile >= params.batch * params.tiles_x * params.tiles_y {
        return;
    }
    find_tile(tile);
