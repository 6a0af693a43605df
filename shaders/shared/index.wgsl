// Linear index of a workgroup of a grid folded into two dimensions
// (65535 workgroups is the most in one dimension). The grid may be a little
// larger than asked for: callers must ignore indices past the end.
fn folded(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.y * groups.x + group.x;
}
