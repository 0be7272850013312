"""What encoders, decoder and everything around them share: the frame, layers, prompts, precision."""
