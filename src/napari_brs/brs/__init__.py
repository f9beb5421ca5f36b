"""Interactive networks on an image: views, interaction maps and backpropagating refinement."""
