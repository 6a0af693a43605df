// A flat kernel: 256 lanes, each over FLAT_ITEMS elements 256 apart, so that
// every access of a workgroup is contiguous.
const FLAT_ITEMS: u32 = 4u;

// Element k of a lane, of the workgroup with this folded index.
fn flat(group: u32, local: u32, k: u32) -> u32 {
    return (group * FLAT_ITEMS + k) * 256u + local;
}
