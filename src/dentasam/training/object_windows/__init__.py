"""Object windows in training: where they lie, and what a step gets of them.

whole image, one click  ->  the model's own first answer, without gradients       first_answers.py
                              |  a window around it, as in use, moved at random     drawn_window.py
                              v
image at full size      ->  pixels, truth, first click and fed back logits         window_batch.py
"""
