"""Images from a PACS and segmentations to it, over DICOMweb: QIDO-RS, WADO-RS and STOW-RS (PS3.18)."""
