//! A checkpoint opens in PyTorch: the twin in `tests/reference/` agrees with the engine.
