"""The model inside the labelling server: embeddings, masks for clicks and strokes."""
