"""Training a base model or an adapter.

    run/             the loop over all steps, with optimiser, validation, checkpoints and several processes
    object_windows/  windows around single objects, placed after the model's own first answers
    samples/         from a dataset to the images, masks and embeddings of a step
    recipe/          the settings, the file they are read from, and their meaning for each step (`step_plan.py`)
    step/            one training step: all objects of an image, all clicks, one backward pass through the encoder

Imports point down this list.

In these folders a *crop* is a piece of the image's frame that is trained on in place of the whole image, and a
*window* is a piece of the token grid that the loss is taken on (`step/windowed_loss.py`).
"""
