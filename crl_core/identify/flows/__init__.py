"""What is trained to recover latents: invertible flows, autoencoders, contrasts. All of it needs torch."""
