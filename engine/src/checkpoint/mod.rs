//! Weights on disk: safetensors with configuration and recipe in the metadata.
