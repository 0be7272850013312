"""What is wrong or doubtful in datasets: `dentasam data check`.

check.py goes through the images, one at a time; object_problems.py and image_problems.py list what one image shows by
itself, sizes.py, near_duplicates.py and outliers.py what it shows beside the others, of which they keep small
measures.
"""
