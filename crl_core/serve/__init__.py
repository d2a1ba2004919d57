"""An exported model behind HTTP, watching its own assumptions. Needs requirements-serve.txt; an ONNX file needs no
torch."""
