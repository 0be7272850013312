"""The network as ONNX graphs: export, int8, and running them."""
