"""Object windows: each object is decoded in a small window cut from the image's own pixels around it.

    first click   ->  whole image   ->  first mask
                                          |  placement.py: a window around the mask, or around the click alone
                                          v
    every click   ->  window (24 x 16 tokens, window.py), encoded once and kept (window_cache.py)  ->  mask
                                          |  local_repair.py: a click that the mask still contradicts is obeyed
                                          v
                      windowed_image.py follows the object when its mask or a click reaches the window's edge

A panoramic of 2,900 pixels has 45 image pixels to a token, and a correction is a band of 5 to 15 pixels. In a window
a token has 5 to 15 image pixels. Zooming in on the object is from f-BRS (Sofiiuk et al.,
https://arxiv.org/abs/2001.10331) and FocalClick (Chen et al., https://arxiv.org/abs/2204.02574).
"""
