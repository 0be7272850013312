"""Which click an object gets, and when.

click_schedule.py            the order of an object's prompts in training: clicks, and the mask alone
correction_clicks.py         where the first click and each correction go, for masks that are arrays (evaluation)
tensor_correction_clicks.py  the same clicks for masks that are tensors, also on a GPU (training)
regions.py                   depth and connected regions of masks on a GPU, for the tensor clicks
stroke_clicks.py             clicks from a brush stroke (labelling)
"""
