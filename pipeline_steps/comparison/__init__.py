"""Compares two models record by record on one holdout. Needs numpy; nothing in here knows AWS.

predictions   what the container's `evaluate` wrote, read with suspicion
metrics       the usual metrics of scikit-learn, of weighted records
bootstrap     how sure they are: the paired bootstrap
curves        how a model errs
compare       all of it, as the document Comparison
"""
