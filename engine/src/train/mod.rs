//! Training: degradations, data, losses, optimiser, loop, resume.
