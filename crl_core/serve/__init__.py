"""An exported model behind HTTP, with a monitor of its assumptions. Needs requirements-serve.txt, no torch for ONNX."""
