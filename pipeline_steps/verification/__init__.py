"""What an endpoint has to show before a model goes on: it is called as its clients will call it.

requests     what is sent, and what the answers hold
endpoint     the endpoint that is called
variants     what it is made of
description  the contract that was shipped with the model
agreement    the answers hold to it, and are those that the model gave offline
hostile      what no client should send is refused, and the endpoint lives on
load         it answers in time while clients arrive at a set rate
fit          the container fits into its instances
findings     verification.json in S3, the report and one line of it all
"""
