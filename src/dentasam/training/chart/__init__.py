"""Training a chart head: the finder and the numberer, on stored embeddings of varied images and phantoms."""
