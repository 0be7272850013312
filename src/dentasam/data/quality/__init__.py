"""What is wrong or doubtful in datasets: `dentasam data check`.

check.py goes through the images, one at a time. pixels/ and objects/ list what one image shows by itself, and keep
small measures of each for what it shows only beside the others: odd sizes, near duplicates, outliers. reports/ writes
pages, JSON and tags.
"""
