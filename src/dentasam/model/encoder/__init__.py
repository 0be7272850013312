"""Image encoders: what one has to fulfil (`image_encoder`), the encoders, and the official ones by name."""
