"""The demonstration: real rows with a synthetic key, and beside them an invented city, each told as what it is.

chance · districts · identifiers · words · dirt · year   what a synthetic city is made of
enterprises · streets · residents · air → city           its tables, from one seed
read_churn · fit_scorecard → scorecards · fit_trees      the real rows, and the models
parties · catalogue · deals                              who is there, what is listed, what is traded: data
sign_ins · trade → flow                                  loads it all, through the actions
"""
