//! Every op and whole networks: CPU reference against WGSL.
