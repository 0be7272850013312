"""Charts against the truth: teeth found and numbered without a prompt (`Segmenter.chart`).

ground_truth.py  the teeth of an image  ->  matching.py  found to true ones  ->  chart_result.py  errors and metrics
"""
