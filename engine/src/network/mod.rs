//! The Serpent network: configuration, presets, and the function that builds its graph.
