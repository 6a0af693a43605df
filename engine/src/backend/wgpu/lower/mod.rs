//! From a node of the graph to dispatches: which kernels, with which constants and grids.
