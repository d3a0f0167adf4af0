"""The report of an evaluation: what an approver reads before a model reaches production. Nothing in here knows AWS.

evidence       what the report is made of
wording        how numbers and names are written
figures        what each metric says, in words
staging        what the verification of the endpoint found, in words
data_changes   what changed in the data since the champion's
charts, svg    the charts, as SVG that takes the page's colours
html           report.html, one file that asks for nothing else
markdown       report.md, for a pull request and the terminal
approval       the text of the manual approval
"""
