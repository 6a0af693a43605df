//! Pictures: decode with limits, colour, metadata, encode, atomic save.
