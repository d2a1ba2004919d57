"""What leaves the program: checkpoints, notebooks, pages of figures, and models as files of other formats."""
