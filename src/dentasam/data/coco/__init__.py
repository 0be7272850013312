"""COCO instances as tools write them: one reader for training, evaluation, checks, imports and the labelling tool."""
