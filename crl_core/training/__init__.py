"""Training (torch): the λ path of CFRNets as one batched ensemble, and the penalties that λ weighs."""

from crl_core.training.path import resolve_device, train, train_path, warm_up

__all__ = ["resolve_device", "train", "train_path", "warm_up"]
