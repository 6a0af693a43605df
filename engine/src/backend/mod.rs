//! Executors of a graph: the CPU and WGSL through wgpu.
